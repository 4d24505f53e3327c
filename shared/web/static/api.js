// Starts Swagger UI on /api with the document that the page names, as light or dark as the page. Requests go with the
// reader's own session, or with a token that is forgotten when the page is left.
"use strict";

(() => {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const paint = () => root.classList.toggle("dark-mode", (root.dataset.theme || (system.matches ? "dark" : "light")) === "dark");
  new MutationObserver(paint).observe(root, { attributeFilter: ["data-theme"] });
  system.addEventListener("change", paint);
  paint();

  const place = document.getElementById("api");
  SwaggerUIBundle({
    domNode: place,
    url: place.dataset.document,
    deepLinking: true,
    displayOperationId: true,
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
    validatorUrl: null,
    persistAuthorization: false,
    requestInterceptor: (request) => {
      // the key of the example stands in every form; sent with another body it would be refused
      if (request.headers["Idempotency-Key"] === place.dataset.exampleKey) delete request.headers["Idempotency-Key"];
      return request;
    },
  });
})();
