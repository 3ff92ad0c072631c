# Real programs that have nothing to do: what stays resident.
#
#	ALLOCATORS=...	see stress/compare.py
#	ROUNDS=...	runs of each; 3 unless said
#	IDLE=...	some of the programs

IDLE ?= node mariadb java ruby redis

.PHONY: idle
idle: all $(BUILD)/bench/measure ## what stays resident of idle programs, under each malloc
	@status=0; for program in $(IDLE); do echo "idle: $$program"; \
		BUILD='$(abspath $(BUILD))' stress/compare.py -e \
		-r $(or $(ROUNDS),3) -p ' peak' -p ', idle' \
		stress/idle/$$program.sh || status=1; done; exit $$status
