# The two commands: `make up` builds the lab and runs the platform on it, `make test` runs the tests.
# LAB_NAME tells instances apart; LAB_CLUSTERS names clusters (desa01; or test01,prod01); LAB_CACHE holds what was built.
SHELL := /bin/sh
export LAB_NAME ?= mlops
export LAB_CLUSTERS ?=
export LAB_SUBNET ?=
export LAB_CACHE ?= /var/cache/mlops-lab
# The interpreter of the environment; by default the distribution's, where it is new enough.
PYTHON ?=
# Who became root by su has the PATH of before, without the programs that only root needs.
export PATH := $(PATH):/usr/local/sbin:/usr/sbin:/sbin
# Programs work in folders of their own.
override LAB_CACHE := $(abspath $(LAB_CACHE))
# Nothing of the lab lies behind the machine's proxy.
ifneq ($(strip $(http_proxy)$(https_proxy)$(all_proxy)$(HTTP_PROXY)$(HTTPS_PROXY)$(ALL_PROXY)),)
own_no_proxy := $(shell LAB_NAME='$(LAB_NAME)' LAB_SUBNET='$(LAB_SUBNET)' $(or $(PYTHON),python3) lab/bin/no-proxy)
export no_proxy := $(or $(own_no_proxy),$(no_proxy))
export NO_PROXY := $(no_proxy)
endif
BIN := .venv/bin
INVENTORY ?= inventories/lab

.DEFAULT_GOAL := help
# The goals of `up` build on each other, also with make -j.
.NOTPARALLEL:
.PHONY: help ground up lab images site down status venv lint unit e2e molecule test test-full chaos-ray bench bench-lab lock-images archive

help: ## This list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: ## The Python environment (.venv) from the locked requirements
	@PYTHON=$(PYTHON) LAB_CACHE=$(LAB_CACHE) lab/bin/venv

up: lab images site ## The lab, the images in its registry, and the platform on it

# Before anything is installed.
ground:
	@lab/bin/lab check

lab: ground venv ## A real Kubernetes cluster and a real storage server on this machine
	@lab/bin/lab up

images: venv ## The platform's images, built and pushed to the registry of the inventory
	@$(BIN)/ansible-playbook -i $(INVENTORY) playbooks/images.yml

site: venv ## The platform, on the inventory of the lab
	@$(BIN)/ansible-playbook -i $(INVENTORY) site.yml

down: ground venv ## Stop and remove everything of this instance, the cache aside
	@lab/bin/lab down

status: venv ## What runs, with versions, memory and kubeconfigs, and how the platform is (INVENTORY=inventories/prod: only that)
	@test "$(INVENTORY)" != inventories/lab || $(BIN)/python lab/bin/status
	@lab/bin/report $(INVENTORY)

lint: venv ## All static checks
	@tests/run lint lint-ansible

unit: venv ## Unit tests
	@tests/run unit

e2e: venv ## Short tests on the running lab
	@tests/run e2e whole

molecule: venv ## Molecule scenarios of the product's roles on the running lab
	@tests/run molecule

test: venv ## Lint; unit tests; the lab with the platform; Molecule; short tests on the lab; the archive
	@tests/run lint unit+lint-ansible lab molecule e2e whole archive

test-full: venv ## The same, and what takes long: faults, restarts, two clusters, a machine with the kernel's NFS server
	@tests/run lint unit+lint-ansible lab molecule e2e whole archive full

chaos-ray: venv ## What Ray loses when its parts are killed under load, as a table
	@tests/run chaos-ray

bench: venv ## Measurements, printed with ratios
	@tests/run bench

bench-lab: venv ## Measurements of the lab itself (COLD=1: also from an empty cache, some 20 minutes)
	@tests/run bench-lab

lock-images: ## Lock the images' Python environments anew (UPGRADE=--upgrade for the newest versions)
	@PYTHON=$(PYTHON) images/lock $(UPGRADE)

archive: venv ## The collection's archive, as ansible-galaxy installs it
	@$(BIN)/ansible-galaxy collection build --force --output-path .cache
