"""From models to lists: blending, filters, top-N. The only package above the models."""
