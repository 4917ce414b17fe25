"""The command line: builds a workspace from logs, serves it, asks it, evaluates it."""

from shopfront.quiet_grpc import import_grpc_quietly

# Here, since every module of the command line comes after it.
import_grpc_quietly()
