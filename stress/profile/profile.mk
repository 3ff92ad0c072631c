### Profiles against exact counts: see stress/profile/accuracy.py

$(BUILD)/profile-load: stress/profile/load.cc $(BUILD)/flags
	$(call say,C++,$@)
	$(Q)$(CXX) -std=gnu++17 -O2 -g $(WARNINGS) $(NO_BUILTINS) $< -o $@

.PHONY: profile-accuracy
profile-accuracy: all $(BUILD)/profile-load ## profiles by samples against exact counts
	@python3 stress/profile/accuracy.py '$(BUILD)'

$(BUILD)/profile-stacks: stress/profile/stacks.c $(BUILD)/flags
	$(call say,CC,$@)
	$(Q)$(CC) -std=gnu11 -O2 -g -fno-optimize-sibling-calls $(WARNINGS) \
		$(NO_BUILTINS) $(INCLUDES) $< -o $@

.PHONY: profile-stacks
profile-stacks: all $(BUILD)/profile-stacks ## what tables and files of profiles cost
	@for n in "10000 10000" "100 20000"; do \
		LANEMALLOC_CONF=profile_interval=1 \
		LD_PRELOAD=$(abspath $(BUILD)/liblanemalloc.so) \
		$(BUILD)/profile-stacks $$n || exit; \
	done

$(BUILD)/profile-cost: stress/profile/cost.c stress/figure.h $(BUILD)/flags
	$(call say,CC,$@)
	$(Q)$(CC) -std=gnu11 -O2 -g -fno-optimize-sibling-calls $(WARNINGS) \
		$(NO_BUILTINS) $(INCLUDES) $< -o $@

.PHONY: profile-cost
profile-cost: all $(BUILD)/profile-cost ## what loads cost while the profile is on
	@for n in 512k 64k 1024g; do \
		echo "profile_interval=$$n"; \
		LANEMALLOC_CONF=profile_interval=$$n \
		LD_PRELOAD=$(abspath $(BUILD)/liblanemalloc.so) \
		$(BUILD)/profile-cost || exit; \
	done
