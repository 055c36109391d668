"""Read run folders and explain them: the verdict, reports, scaling laws."""
