"""What the TensorRT engine of a model is called."""

ENGINE_SUFFIX = "_trt"
"""The engine of `bst` is a model of its own, `bst_trt`: on Triton a back end belongs to a model, not to a
version, and an engine belongs to one kind of GPU. So `bst` stays servable everywhere beside it."""
