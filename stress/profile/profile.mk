### Profiles against exact counts: see stress/profile/accuracy.py

$(BUILD)/profile-load: stress/profile/load.cc $(BUILD)/flags
	$(call say,C++,$@)
	$(Q)$(CXX) -std=gnu++17 -O2 -g $(WARNINGS) $(NO_BUILTINS) $< -o $@

.PHONY: profile-accuracy
profile-accuracy: all $(BUILD)/profile-load ## profiles by samples against exact counts
	@BUILD='$(BUILD)' stress/profile/accuracy.sh
