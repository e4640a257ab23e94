# The same targets serve people and CI. Each stops at the first error. `make help` lists them.

SHELL := /bin/sh
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

# Paths reach the recipes through the environment, as they were typed: make would expand a $ in them, and quotes and
# spaces would not survive the shell.
export DEEPCUTS_MUSIC := $(value MUSIC)
export DEEPCUTS_DATA := $(value DATA)
export DEEPCUTS_OUTSIDE := $(value OUTSIDE)
export DEEPCUTS_COPIES := $(value COPIES)
unexport MUSIC DATA OUTSIDE COPIES

CARGO ?= cargo
# The versions of Cargo.lock, or an error. One profile for everything: each compiles the C++ shim over libtorch again.
LOCKED := --locked
RELEASE := --release --workspace $(LOCKED)

PREFIX ?= /usr/local
DESTDIR ?=
bindir := $(DESTDIR)$(PREFIX)/bin
libdir := $(DESTDIR)$(PREFIX)/lib/deepcuts
sharedir := $(DESTDIR)$(PREFIX)/share
built := target/release
# As cargo has it: a libtorch of the user's own, else the fetched one.
libtorch := $(or $(LIBTORCH),vendor/libtorch)

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-18s %s\n", $$1, $$2 }'

.PHONY: setup
setup: ## fetch libtorch, cmake, ffmpeg into vendor/ (nothing to do when they are there)
	@scripts/setup

.PHONY: build
build: setup ## the release build of deepcuts and its ears
	$(CARGO) build $(RELEASE)

.PHONY: run
run: build ## hear a folder and print what was heard: make run MUSIC=~/Music (default: your music folder)
	@scripts/run "$$DEEPCUTS_MUSIC"

.PHONY: test
test: setup ## every test
	$(CARGO) test $(RELEASE)

.PHONY: check
check: setup ## format, lints, docs and the unit tests, as before a commit
	$(CARGO) fmt --all --check
	$(CARGO) clippy $(RELEASE) --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc $(RELEASE) --no-deps
	$(CARGO) test $(RELEASE) --lib --bins

.PHONY: bench
bench: setup ## the benchmarks: stages, search at 10,000 and 100,000 tracks, 100,000 files through the desk
	$(CARGO) bench --workspace $(LOCKED) --bench search --bench ui --bench stages
	$(CARGO) build $(RELEASE)
	python3 scripts/desk-bench.py $(built)/deepcuts $(built)/scripted-ears

.PHONY: accept
accept: build ## the acceptance run over real music, then the simulated listener: make accept MUSIC=DIR DATA=DIR
	@scripts/accept.sh "$$DEEPCUTS_MUSIC" "$$DEEPCUTS_DATA"
	@vendor/python/bin/python3 scripts/outside.py
	@if [ -n "$$DEEPCUTS_DATA" ]; then vendor/python/bin/python3 scripts/mel-or-audio.py --shipped "$$DEEPCUTS_DATA"; fi
	@if [ -n "$$DEEPCUTS_DATA" ]; then $(MAKE) listener DATA="$$DEEPCUTS_DATA"; fi

.PHONY: models
models: build ## train the models that are shipped, and their reports: make models DATA=DIR
	@scripts/models.sh "$$DEEPCUTS_DATA"

.PHONY: listener
listener: build ## what corrections are worth to a simulated listener, a report in target/listener: make listener DATA=DIR
	$(CARGO) build $(RELEASE) --example trunk --example listener
	@vendor/python/bin/python3 scripts/listener.py "$$DEEPCUTS_DATA"

# Both are run, whatever the first comes to.
.PHONY: hearing
hearing: build ## what is no music, and rows of features beside audio (docs/hearing.md): make hearing DATA=DIR [OUTSIDE=DIR] [COPIES=DIR]
	@bad=0; \
	vendor/python/bin/python3 scripts/outside.py $${DEEPCUTS_OUTSIDE:+--outside "$$DEEPCUTS_OUTSIDE"} \
	    $${DEEPCUTS_DATA:+--data "$$DEEPCUTS_DATA"} || bad=1; \
	if [ -n "$$DEEPCUTS_DATA" ]; then \
	    vendor/python/bin/python3 scripts/mel-or-audio.py "$$DEEPCUTS_DATA" \
	        $${DEEPCUTS_COPIES:+--copies "$$DEEPCUTS_COPIES"} || bad=1; \
	else echo 'skipped no DATA: rows of features are not held against audio'; fi; \
	exit $$bad

.PHONY: captures
captures: build ## the README's pictures, of the real program over free music (needs tmux): make captures MUSIC=DIR
	@scripts/captures.sh "$$DEEPCUTS_MUSIC"

.PHONY: faults
faults: build ## kill it, fill the disk, damage files, and see that nothing is lost
	@scripts/faults.sh

.PHONY: soak
soak: build ## hours of scanning, watching and searching, with memory watched
	@scripts/soak.sh

.PHONY: gpu
gpu: ## a CUDA build of the same libtorch beside the CPU one, and how to use it (3.6 GB)
	@scripts/setup --cuda
	@echo 'Ready. On a machine with an NVIDIA driver for CUDA 13, start deepcuts with it:'
	@echo '  LD_LIBRARY_PATH="$(CURDIR)/vendor/libtorch-cuda/torch/lib" $(built)/deepcuts doctor'
	@echo 'A Python with torch 2.11.0 for CUDA does as well: LD_LIBRARY_PATH=<its site-packages>/torch/lib'

# libtorch.so is for linkers alone, and stays behind.
.PHONY: install
install: ## into PREFIX (/usr/local), below DESTDIR when set; builds first, unless run by a user without cargo (sudo)
	@if command -v $(CARGO) >/dev/null 2>&1; then $(MAKE) build; \
	elif [ ! -x $(built)/deepcuts ] || [ ! -x $(built)/deepcuts-ears ]; then \
	    echo 'install: nothing is built, and there is no cargo here: run make build as yourself first' >&2; exit 1; \
	fi
	install -d "$(bindir)" "$(libdir)" "$(sharedir)/deepcuts" "$(sharedir)/doc/deepcuts"
	install -s -m 755 $(built)/deepcuts $(built)/deepcuts-ears "$(bindir)"
	@set -e; for lib in "$(libtorch)"/lib/*; do \
	    case $$lib in \
	        */libtorch.so) ;; \
	        *) echo "install $${lib##*/}"; install -m 755 "$$lib" "$(libdir)" ;; \
	    esac; \
	done
	rm -rf "$(sharedir)/deepcuts/models"
	cp -R models "$(sharedir)/deepcuts/models"
	cd "$(sharedir)/deepcuts/models" && rm -rf *.runs leaky sturm authors-*
	@if [ -f vendor/musicnn/musicnn.safetensors ]; then \
	    install -d "$(sharedir)/doc/deepcuts/musicnn"; \
	    install -m 644 vendor/musicnn/LICENSE.md "$(sharedir)/doc/deepcuts/musicnn"; \
	    install -m 644 vendor/musicnn/musicnn.safetensors "$(sharedir)/deepcuts/models"; \
	else echo 'install: there is no vendor/musicnn: deep will not be used, cuts will (make setup fetches it)' >&2; fi
	chmod -R u=rwX,go=rX "$(sharedir)/deepcuts/models"
	install -m 644 LICENSE-MIT LICENSE-APACHE NOTICE THIRD-PARTY.md "$(sharedir)/doc/deepcuts"
	@set -e; if [ -d "$(libtorch)/LICENSES" ]; then \
	    install -d "$(sharedir)/doc/deepcuts/libtorch"; \
	    install -m 644 "$(libtorch)"/LICENSES/* "$(sharedir)/doc/deepcuts/libtorch"; \
	fi
	install -d "$(sharedir)/man/man1" "$(sharedir)/bash-completion/completions" \
	    "$(sharedir)/zsh/site-functions" "$(sharedir)/fish/vendor_completions.d"
	install -d "$(sharedir)/systemd/user"
	sed 's|^ExecStart=deepcuts|ExecStart=$(PREFIX)/bin/deepcuts|' contrib/deepcuts.service > "$(sharedir)/systemd/user/deepcuts.service"
	$(built)/deepcuts man > "$(sharedir)/man/man1/deepcuts.1"
	$(built)/deepcuts completions bash > "$(sharedir)/bash-completion/completions/deepcuts"
	$(built)/deepcuts completions zsh > "$(sharedir)/zsh/site-functions/_deepcuts"
	$(built)/deepcuts completions fish > "$(sharedir)/fish/vendor_completions.d/deepcuts.fish"

.PHONY: uninstall
uninstall: ## what install put there; never your database or your tags
	rm -f "$(bindir)/deepcuts" "$(bindir)/deepcuts-ears" "$(sharedir)/man/man1/deepcuts.1" \
	    "$(sharedir)/bash-completion/completions/deepcuts" "$(sharedir)/zsh/site-functions/_deepcuts" \
	    "$(sharedir)/fish/vendor_completions.d/deepcuts.fish" "$(sharedir)/systemd/user/deepcuts.service"
	rm -rf "$(libdir)" "$(sharedir)/deepcuts" "$(sharedir)/doc/deepcuts"

.PHONY: clean
clean: ## what cargo built; vendor/ stays (rm -r vendor to fetch all anew)
	$(CARGO) clean
