// The reference, rendered by Swagger UI from this server's OpenAPI document. Addresses are relative, and `servers` is
// set from the page's own address: a reverse proxy may serve it under a path prefix that only the browser sees.
fetch("openapi.json")
  .then((answer) => answer.json())
  .then((spec) => {
    spec.servers = [{ url: new URL(".", document.baseURI).href.replace(/\/$/, "") }];
    SwaggerUIBundle({ spec, dom_id: "#reference", deepLinking: true, defaultModelsExpandDepth: 0 });
  });
