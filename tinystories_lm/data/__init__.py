"""From a corpus to batches: documents, tokenizer, token cache, data order."""
