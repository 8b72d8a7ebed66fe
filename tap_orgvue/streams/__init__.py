"""The tap's streams, where Orgvue's half and Singer's half meet."""
