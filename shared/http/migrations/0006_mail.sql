-- By what a service that writes to addresses knows its reader again; see the contract of access states.
ALTER TABLE access_copy ADD COLUMN mail_hash text;
