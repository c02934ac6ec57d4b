# `make serve` and `make test` are all there is to know; `make help` lists the rest.
PYTHON ?= python3
export PORT ?= 8000

help:
	@sed -n 's/^\([a-z-]*\):.*## /make \1 \t/p' Makefile
.PHONY: help
