"""The judge: statistical checks of a candidate version against a concurrent baseline.

`judge_stage` gathers what a stage needs and calls `judge`, which makes each `Check` with one verdict: pass,
fail, inconclusive or error. Everything here is a pure function of counts and settings.
"""
