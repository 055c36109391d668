"""Search a sweep's ranges for the best settings: a study that is rebuilt from the sweep's runs at every start."""
