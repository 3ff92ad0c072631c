# Real programs that have nothing to do: what stays resident.
#
#	ALLOCATORS=...	see stress/allocators.sh
#	ROUNDS=...	runs of each; 3 unless said

.PHONY: idle
idle: all ## what stays resident of idle programs, under each malloc
	@BUILD='$(abspath $(BUILD))' stress/idle/idle.sh
