"""Why Triton did not start or did not load a model, out of many lines of log, in one."""

import re

_LONGEST = 500
_PORT_IN_USE = re.compile(r"Socket '([\d.]+):(\d+)' already in use")
_LOAD_FAILED = re.compile(
    r"load failed for model '(?P<model>[^']+)': version (?P<version>\d+) is at UNAVAILABLE state:"
    r" (?P<reason>.*?)(?=;|\Z)",
    re.DOTALL,
)
_ERROR_LINE = re.compile(r"^\S+Z E \d+ [^\]]*\] (.*)$", re.MULTILINE)  # --log-format=ISO8601
# Said on every machine without a GPU.
_HARMLESS = ("CudaDriverHelper", "NVML", "DCGM")


def start_failure(log: str, returncode: int | None) -> str:
    """One line saying why a server that wrote `log` did not come up.

    `returncode` is its exit status, None where it still runs.
    """
    if port := _PORT_IN_USE.search(log):
        return f"port {port[2]} of {port[1]} is already in use; stop what holds it or configure another"
    creating = log.rpartition("error: creating server:")[2] if "error: creating server:" in log else ""
    if loads := list(_LOAD_FAILED.finditer(creating)):
        return one_line(
            "; ".join(f"model {m['model']} version {m['version']}: {_cause(m['reason'])}" for m in loads)
        )
    if creating:
        return one_line(_cause(creating))
    errors = [text for text in _ERROR_LINE.findall(log) if not any(word in text for word in _HARMLESS)]
    lines = [line for line in log.splitlines() if line.strip()]
    last = errors[-1].strip().strip('"') if errors else lines[-1] if lines else "it wrote nothing"
    if returncode is None:
        return one_line(f"not ready in time; last word: {last}")
    ending = f"signal {-returncode}" if returncode < 0 else f"status {returncode}"
    return one_line(f"ended with {ending}: {last}")


def load_failure(message: str) -> str:
    """One line out of the server's answer to a refused load."""
    if loads := list(_LOAD_FAILED.finditer(message)):
        return one_line("; ".join(f"version {m['version']}: {_cause(m['reason'])}" for m in loads))
    return one_line(_cause(message))


def one_line(text: str) -> str:
    """Text without line breaks, shortened to a line one can read."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def _cause(reason: str) -> str:
    # The Python backend appends a traceback to what the model said.
    return re.split(r"\n\s*\nAt:", reason)[0].strip()
