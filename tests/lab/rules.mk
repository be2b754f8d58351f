# The exercises of docs/lab/README.md: lab-N makes lab/N, a copy of this tree with a hole in it; grade-N grades that, or, with
# REFERENCE=yes, this tree itself.
## lab-N, grade-N        exercise N of docs/lab/README.md, and its grading
LABS := $(patsubst tests/lab/%.lab,%,$(wildcard tests/lab/*.lab))
REFERENCE ?=
define lab_rules
.PHONY: lab-$1 grade-$1 lab-ready-$1
lab-ready-$1: all $(shell sed -n 's|^needs  *||p' tests/lab/$1.lab)
	@:
lab-$1: setup
	@+$$(MAKE) --no-print-directory lab-ready-$1
	@scripts/lab make $1
grade-$1: setup
	@+$$(MAKE) --no-print-directory lab-ready-$1
	@scripts/lab grade $1 $$(if $$(REFERENCE),--reference)
endef
$(foreach n,$(LABS),$(eval $(call lab_rules,$n)))
