"""What workers do besides work: archiving and deleting what ended, finding and putting right what was lost."""
