"""Settings of the export."""

from pydantic import BaseModel, ConfigDict, Field, field_validator

from exporters.tensorrt_settings import TensorRtSettings


class ExportSettings(BaseModel):
    """How a checkpoint becomes a version on Triton, and what it must prove first."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    formats: tuple[str, ...] = Field(
        default=(
            "onnx",
            "onnx_int8",
            "onnx_int8_dynamic",
            "onnx_int8_tables",
            "onnx_int4_tables",
            "onnx_int8_and_int8_tables",
            "onnx_int8_dynamic_and_int8_tables",
        ),
        min_length=1,
        description="Forms tried, by their names in `exporters.formats`, the plainest first. Each is measured"
        " against float32 on this machine; the fastest that loses nothing is served. `onnx` alone serves"
        " float32. Models that score no candidates are float32 always.",
    )
    tolerance: float = Field(
        default=1e-4,
        gt=0,
        description="Largest absolute difference from torch in any output (a probability, or a component of"
        " a unit vector).",
    )
    quantised_tolerance: float = Field(
        default=0.25,
        gt=0,
        description="The same for forms with fewer bits: a bound on nonsense, since quality is judged by the"
        " order.",
    )
    maximum_auc_loss: float = Field(
        default=0.0005,
        ge=0,
        description="Most that AUC on labelled candidates of the validation range may be below float32's.",
    )
    minimum_ndcg: float = Field(
        default=0.999,
        gt=0,
        le=1,
        description="Least NDCG@50 of a form's order of long lists, float32's order being the ideal one.",
    )
    minimum_gain: float = Field(
        default=1.05,
        ge=1,
        description="Times as fast as a plainer form that a form must be to be served instead; below it both"
        " count as equally fast.",
    )
    memory_factor: float = Field(
        default=1.5,
        gt=1,
        description="Times as small as a plainer form that an equally fast one must be to be served instead.",
    )
    quality_points: int = Field(
        default=1000, ge=1, description="Moments of the validation range whose candidates are labelled."
    )
    quality_negatives: int = Field(default=50, ge=1, description="Negatives of each such moment.")
    quality_lists: int = Field(default=100, ge=1, description="Shoppers whose long lists are ordered.")
    quality_candidates: int = Field(default=1000, ge=50, description="Candidates of each long list.")
    sample_shoppers: int = Field(
        default=64, ge=1, description="Shoppers of the data set whose histories are compared."
    )
    sample_candidates: int = Field(default=50, ge=1, description="Candidates compared per shopper.")
    speed_candidates: int = Field(
        default=300, ge=1, description="Candidates of one request when speed is measured."
    )
    speed_rounds: int = Field(
        default=60, ge=3, description="Requests timed on each side when speed is measured."
    )
    minimum_speed_ratio: float = Field(
        default=0.5,
        ge=0,
        description="Least speed of the exported form as a multiple of eager torch, on one thread; 0 accepts"
        " any.",
    )
    item_table_mib: int = Field(
        default=256,
        ge=0,
        description="Most memory for tables of what BST computes of an item alone, MiB, in the file and in"
        " every process that serves it; what does not fit is computed for each candidate.",
    )
    tensorrt: TensorRtSettings = Field(default=TensorRtSettings(), description="The TensorRT engine of BST.")

    @field_validator("formats")
    @classmethod
    def _each_once(cls, formats: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(formats)) < len(formats):
            raise ValueError(f"each form is tried once, but {', '.join(formats)} repeats one")
        return formats
