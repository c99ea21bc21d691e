"""The mistakes that the tests must notice: plausible, and each changes a result of the book."""

from typing import NamedTuple


class Mutant(NamedTuple):
    """What is broken, where, by which text, and the tests that must notice.

    `module` is a file of spikylib without its suffix. `tests` names a file or a folder of tests,
    then options of pytest; by default it is the module's own.
    """

    module: str
    change: str
    find: str
    put: str
    tests: str = ""


MUTANTS = [
    # --- ppmi
    Mutant("_counts", "a repeated pair counts twice", "X.data > 0, X.indices", "X.data, X.indices", "ppmi"),
    Mutant("_counts", "a pair must share more than `min_count` contexts", "C.data >= min_count", "C.data > min_count", "ppmi"),
    Mutant("_counts", "top_k holds for one of the two items only", "_is_neighbour(*cutoffs, C.indices, entry_rows(C.indptr, first), C.data)", "np.ones(C.nnz, bool)", "ppmi"),
    Mutant("_counts", "the logarithm is to base 2", "np.log(float(n_contexts)", "np.log2(float(n_contexts)", "ppmi"),
    Mutant("ppmi", "N counts items", "columns, count, X.shape[1])", "columns, count, X.shape[0])"),
    Mutant("_counts", "negative information is kept", "if expected is not None:", "if False:", "ppmi"),
    Mutant("_counts", "ties of top_k go to the higher item", "(j <= last_tied_index[i])", "(j >= last_tied_index[i])", "ppmi"),
    # --- svd
    Mutant("_lanczos", "smallest singular values first", "np.lexsort((d < 0, -magnitude))", "np.lexsort((d < 0, magnitude))", "svd"),
    Mutant("svd", "V has the signs of U", "U * np.where(d < 0, -1.0, 1.0)", "U.copy()"),
    Mutant("svd", "signs are as the solver left them", "U *= sign\n        V *= sign", "pass"),
    Mutant("svd", "embeddings are U Sigma^(power / 2)", "self.s**power", "self.s ** (power / 2)"),
    Mutant("svd", "reconstruct forgets Sigma", "(self.U[rows] * self.s)", "self.U[rows]"),
    Mutant("svd", "singular values keep the scale of the computation", "np.ldexp(s, exponent)", "s"),
    Mutant("svd", "pairs that have not converged are returned", 'if solver == "exact" and residuals', "if False and residuals"),
    Mutant("svd", "a matrix that is not symmetric is taken", "if not _is_symmetric(M)", "if False"),
    # --- spikes
    Mutant("_greedy", "candidates by increasing norm", 'np.argsort(-norm, kind="stable")', 'np.argsort(norm, kind="stable")', "spikes"),
    Mutant("_greedy", "a cosine equal to the threshold captures", "part[cosine <= peaks.cos_theta]", "part[cosine < peaks.cos_theta]", "spikes"),
    Mutant("_greedy", "opposite rows are on one spike", "take_rows(self.E, rows, self.scale, np.float32) @ directions", "np.abs(take_rows(self.E, rows, self.scale, np.float32) @ directions)", "spikes"),
    Mutant("spikes", "columns past f count", 'E = checked_rows("E", E, f)', 'E = checked_rows("E", E)'),
    Mutant("_greedy", "one row more than the share must be captured", "math.ceil(rho * n - 1e-9)", "math.floor(rho * n) + 1", "spikes"),
    Mutant("spikes", "Spk counts members of spikes", "return len(self.peaks) / len(self.spike)", "return (self.spike >= 0).mean()"),
    # --- dcbm
    Mutant("dcbm", "the affinity keeps its sign", "(beta if signed else np.abs(beta)) / strongest", "beta / strongest"),
    Mutant("dcbm", "the scale of the theorem is A b", "float(largest**2 * strongest)", "float(largest * strongest)"),
    Mutant("dcbm", "a sampled matrix is not symmetric", "np.concatenate([i, j[i < j]]), np.concatenate([j, i[i < j]])", "i, j"),
    Mutant("dcbm", "the corrected degree is not corrected", "if corrected:", "if False:"),
    Mutant("dcbm", "a probability above 1 is taken", "if highest > 1 + 1e-12:", "if False:"),
    Mutant("dcbm", "row sums forget the signs of V", "svd.V.sum(axis=0))", "svd.U.sum(axis=0))"),
    # --- retrieval
    Mutant("retrieval", "an item is in its own list", "spare = found == queries[part, None]", "spare = np.zeros(found.shape, dtype=bool)"),
    Mutant("retrieval", "ties go to the higher row", "np.arange(at.shape[1])[::-1]", "np.arange(at.shape[1])"),
    Mutant("retrieval", "the first bounds are a hundred times too tight", "(E.shape[1] + 16) * np.finfo(self.dtype).eps", "(E.shape[1] + 16) * np.finfo(self.dtype).eps / 128"),
    Mutant("retrieval", "cosine and dot product change places", 'self.top = similarity == "cosine"', 'self.top = similarity == "dot"'),
    Mutant("retrieval", "the first place counts as the second in NDCG", "np.log2(1 + np.arange(", "np.log2(2 + np.arange("),
    Mutant("retrieval", "the knee is the upper rank", "return int(f[at])", "return int(f[at + 1])"),
    # --- stability
    Mutant("stability", "Jaccard divides by both lists", "shared / (2 * k - shared)", "shared / (2 * k)"),
    Mutant("stability", "lists have k - 1 items", "before[kind, p][:, :length], after[kind, p][:, :length]", "before[kind, p][:, : length - 1], after[kind, p][:, : length - 1]"),
    Mutant("stability", "the first part has the highest norms", 'order = np.argsort(norm, kind="stable")', 'order = np.argsort(-norm, kind="stable")'),
    Mutant("stability", "the latest date is the reference", "key=lambda pair: pair[0])", "key=lambda pair: pair[0], reverse=True)"),
    Mutant("stability", "intervals of 68 %", "_NORMAL_95 = 1.959964", "_NORMAL_95 = 1.0"),
    Mutant("stability", "every window begins with the data", '0 * ends if kind == "cumulative" else ends - width * span', "0 * ends"),
    # --- consistency
    Mutant("consistency", "the error is the standard deviation", "shares.std(ddof=1) / np.sqrt(n_subsets)", "shares.std(ddof=1)"),
    Mutant("consistency", "a subset may repeat an item", "rng.choice(len(E), k, replace=False, shuffle=False)", "rng.choice(len(E), k)"),
    Mutant("consistency", "kurtosis is taken as excess", "fourth = kurtosis + 4 * m", "fourth = kurtosis + 3 + 4 * m"),
    Mutant("consistency", "n, not n - k, items are outsiders", "_binomial(n_items - k, k, gap", "_binomial(n_items, k, gap"),
    # --- continuation
    Mutant("continuation", "tracks already seen are recommended", "scores[known[batch].nonzero()] = -np.inf", "pass"),
    Mutant("continuation", "a hidden pair may be a seen one", "if leaked:", "if False:"),
    Mutant("continuation", "the playlist's bias is forgotten", "self.track_bias + self.playlist_bias[playlists][:, None]", "self.track_bias"),
    Mutant("continuation", "R-precision looks one place too far", "(hit & (place < h))", "(hit & (place <= h))"),
    Mutant("continuation", "ties go to the higher track", "* 2**32 - np.arange(", "* 2**32 + np.arange("),
    # --- reading data
    Mutant("_interactions", "`end` is part of the time asked for", "(times < high.to_datetime64())", "(times <= high.to_datetime64())", "datasets"),
    Mutant("_interactions", "a context of just the size asked for is dropped", ">= min_context_size)[number]", "> min_context_size)[number]", "datasets"),
    Mutant("_interactions", "items are numbered by their ids", "row, item_ids = pd.factorize(item)", "row, item_ids = pd.factorize(item, sort=True)", "datasets"),
    Mutant("_interactions", "a pair takes its last time", "np.fmin.reduceat", "np.fmax.reduceat", "datasets"),
    Mutant("datasets/_readers", "play counts are not checked", "if not np.array_equal(played, promised):", "if False:", "datasets"),
    Mutant("datasets/_vectors", "NaN passes for a vector", "largest_entry(str(path), vectors)", "pass", "datasets"),
    Mutant("datasets/_text", "a track named NA is missing", '"keep_default_na": False', '"keep_default_na": True', "datasets"),
    Mutant("datasets/_vectors", "a pickle is opened", "allow_pickle=False", "allow_pickle=True", "datasets"),
    Mutant("datasets/_own", "snapshots keep ids that later dates lack", "common = common[common.isin(snapshot.ids)]", "pass", "datasets"),
    # --- fetching, and keeping results
    Mutant("datasets/_download", "checksums are not compared", "if found != expected:", "if False:", "download"),
    Mutant("datasets/_download", "plain http is spoken", 'parts.scheme == "https"', 'parts.scheme in ("http", "https")', "download"),
    Mutant("datasets/_guard", "an archive may unpack to any size", "self._left -= len(data)", "pass", "download"),
    Mutant("datasets/_download", "a path may leave its folder", 'if ".." in parts or', "if", "download"),
    Mutant("rerun/_record", "a float is kept with all its digits", "value = round(value, digits) + 0.0", "pass", "rerun"),
    Mutant("rerun/_record", "a name may be used twice", "if name in self.results:", "if False:", "rerun"),
    Mutant("rerun/_runs", "a file may be replaced and the run stays", "if changed:", "if False:", "cli_run -k replaced"),
    Mutant("rerun/_runs", "a chapter takes whatever it is given", "if wanted := takes(notebook):", "if wanted := None:", "cli_run -k takes"),
    Mutant("rerun/_parameters", "a parameter may be out of its range", "not parameter.low <= value <= parameter.high", "False", "cli_run -k wrong"),
    Mutant("rerun/_parameters", "a choice may be none of those listed", "if parameter.choices and", "if False and", "cli_run -k wrong"),
]  # fmt: skip
