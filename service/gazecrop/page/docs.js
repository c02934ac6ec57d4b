// The reference, drawn by Swagger UI from this server's own schema; relative, so that it works behind a proxy path.
// "Try it out" is told where the page itself stands: only the browser knows the path that a proxy put before it.
fetch("openapi.json")
  .then((answer) => answer.json())
  .then((spec) => {
    spec.servers = [{ url: new URL(".", document.baseURI).href.replace(/\/$/, "") }];
    SwaggerUIBundle({ spec, dom_id: "#reference", deepLinking: true, defaultModelsExpandDepth: 0 });
  });
