"""Why a job change went where it did: the stored record, its reasons as codes, and the sentences that people read."""
