"""Turn a corpus into batches: documents, tokenizer, token cache, order."""
