// A script of its own, because the page's policy allows none within it.
SwaggerUIBundle({
  url: "{base}/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  // The default asks a server outside.
  validatorUrl: null,
});
