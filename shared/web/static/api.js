// Starts Swagger UI on /api with the document that the page names. Requests go with the reader's own session.
"use strict";

(() => {
  const place = document.getElementById("api");
  const ui = SwaggerUIBundle({
    domNode: place,
    url: place.dataset.document,
    deepLinking: true,
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
    validatorUrl: null,
    withCredentials: false,
    syntaxHighlight: { activated: true, theme: "agate" },
  });
  window.addEventListener("pagehide", () => ui.authActions?.logout?.([]), { once: true });
})();
