"""Settings of the export."""

from pydantic import BaseModel, ConfigDict, Field


class ExportSettings(BaseModel):
    """How a checkpoint becomes a version on Triton, and what it must prove first."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: str = Field(default="onnx", description="Exporter, by its name in `exporters.formats`.")
    tolerance: float = Field(
        default=1e-4,
        gt=0,
        description="Largest absolute difference from torch in any output (a probability, or a component of"
        " a unit vector).",
    )
    sample_shoppers: int = Field(
        default=64, ge=1, description="Shoppers of the data set whose histories are compared."
    )
    sample_candidates: int = Field(default=50, ge=1, description="Candidates compared per shopper.")
    speed_candidates: int = Field(
        default=300, ge=1, description="Candidates of one request when speed is measured."
    )
    speed_rounds: int = Field(
        default=30, ge=3, description="Requests timed on each side when speed is measured."
    )
    minimum_speed_ratio: float = Field(
        default=0.5,
        ge=0,
        description="Least speed of the exported form as a multiple of eager torch, on one thread; 0 accepts"
        " any.",
    )
