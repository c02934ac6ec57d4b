"""The OpenAPI document: schemas, parameters, responses."""
