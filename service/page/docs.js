// The reference, drawn by Swagger UI from this server's own schema; relative, so that it works behind a proxy path.
SwaggerUIBundle({ url: "openapi.json", dom_id: "#reference", deepLinking: true, defaultModelsExpandDepth: 0 });
