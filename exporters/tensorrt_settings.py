"""Settings of the TensorRT engine."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Precision = Literal["float32", "float16", "int8"]


class TensorRtSettings(BaseModel):
    """A TensorRT engine: its precision, and the sizes of call it is built for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    build: bool = Field(
        default=False,
        description="Whether a build makes an engine of BST, the model bst_trt, and its snapshot names it."
        " Needs an NVIDIA GPU, tensorrt, and a Triton (`triton.url`) that serves it;"
        " `router.ranking.model: bst_trt` then ranks by it.",
    )
    precision: Precision = Field(
        default="float16", description="Type in which the network computes: float32, float16 or int8."
    )
    likely_shoppers: int = Field(default=1, ge=1, description="Shoppers of a call the engine is tuned for.")
    max_shoppers: int = Field(default=16, ge=1, description="Most shoppers of one call.")
    likely_candidates: int = Field(
        default=1000, ge=1, description="Candidates of a call the engine is tuned for."
    )
    max_candidates: int = Field(default=8192, ge=1, description="Most candidates of one call.")
    workspace_mib: int = Field(
        default=1024, ge=1, description="GPU memory a kernel may use while the engine is built, MiB."
    )
    optimization_level: int = Field(
        default=3,
        ge=0,
        le=5,
        description="TensorRT's builder level: higher builds longer for a faster engine.",
    )

    @model_validator(mode="after")
    def _likely_below_most(self) -> "TensorRtSettings":
        if self.likely_shoppers > self.max_shoppers or self.likely_candidates > self.max_candidates:
            raise ValueError(
                "likely_shoppers and likely_candidates must not exceed max_shoppers, max_candidates"
            )
        return self
