# Models of the protocols, and the mutants that they must catch.

PACKAGES_MODEL = gcc spin

.PHONY: model model-quick
model: ## the protocols' models and mutants, all of them
	@tests/install-packages.sh $(PACKAGES_MODEL)
	@stress/model/run.sh

model-quick: ## those that take less than a minute together
	@tests/install-packages.sh $(PACKAGES_MODEL)
	@stress/model/run.sh -q
