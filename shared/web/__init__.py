"""What every page is built from: the shell, the components, the navigation, static files and the two languages.

How a service's pages use it stands in `shared.web.shell`; how the parts look, on `/dev/components` of the local stack.
"""
