"""The mistakes that the tests must notice: plausible, and each changes a result of the book."""

from typing import NamedTuple


class Mutant(NamedTuple):
    """What is broken, where, by which text, and the tests that must notice.

    `module` is a file of spikylib without its suffix, or a script of the book's pages with it. `tests`
    names a file of tests, then options of pytest; by default it is the module's own.
    """

    module: str
    change: str
    find: str
    put: str
    tests: str = ""

    @property
    def file(self) -> str:
        """Path of the module in the checkout."""
        return f"book/style/{self.module}" if self.module.endswith(".js") else f"spikylib/{self.module}.py"


MUTANTS = [
    # --- ppmi
    Mutant("_counts", "a repeated pair counts twice", "present.astype(count_type(X))", "X.data.astype(count_type(X))", "ppmi"),
    Mutant("_counts", "a pair must share more than `min_count` contexts", "C.data >= min_count", "C.data > min_count", "ppmi"),
    Mutant("_counts", "top_k holds for one of the two items only", "_is_neighbour(*cutoffs, C.indices, entry_rows(C.indptr, first), C.data)", "np.ones(C.nnz, bool)", "ppmi"),
    Mutant("_counts", "the logarithm is to base 2", "np.log(float(n_contexts)", "np.log2(float(n_contexts)", "ppmi"),
    Mutant("ppmi", "N counts items", "columns, count, X.shape[1])", "columns, count, X.shape[0])"),
    Mutant("_counts", "negative information is kept", "if expected is not None:", "if False:", "ppmi"),
    Mutant("_counts", "ties of top_k go to the higher item", "(j <= last_tied_index[i])", "(j >= last_tied_index[i])", "ppmi"),
    # --- svd
    Mutant("_lanczos", "smallest singular values first", "np.lexsort((d < 0, -magnitude))", "np.lexsort((d < 0, magnitude))", "svd"),
    Mutant("svd", "V has the signs of U", "U * beside(U, np.where(d < 0, -1.0, 1.0))", "U.copy()"),
    Mutant("svd", "signs are as the solver left them", "U *= sign\n    V *= sign", "pass"),
    Mutant("svd", "embeddings are U Sigma^(power / 2)", "self.s**power", "self.s ** (power / 2)"),
    Mutant("svd", "reconstruct forgets Sigma", "(self.U[rows] * beside(self.U, self.s))", "self.U[rows]"),
    Mutant("svd", "singular values keep the scale of the computation", "np.ldexp(s, exponent)", "s"),
    Mutant("svd", "pairs that have not converged are returned", "if residuals.max() <= tol * s[0]", "if True"),
    Mutant("svd", "a matrix that is not symmetric is taken", "if not _is_symmetric(M, largest)", "if False"),
    # --- a GPU
    Mutant("_device", "places are by increasing value", "(row[entries] << 32) - C", "(row[entries] << 32) + C", "gpu"),
    Mutant("_device", "what does not fit is not tried in half the size", "for share in (2, 4)", "for share in (2,)", "gpu"),
    Mutant("study", "a study on a GPU computes in memory", "placed(self._needed().matrix, self.device)", "self._needed().matrix", "gpu"),
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
    # --- what is known of a catalogue
    Mutant("study", "embeddings are measured in the basis they come in", "spikes.principal(self._others[0].vectors)", "self._others[0].vectors"),
    Mutant("study", "all draws of a null are one", "range(self.seed, self.seed + n_draws)", "[self.seed] * n_draws"),
    Mutant("study", "the hidden items stay in the fit", "part = self.with_matrix(train)", "part = self.with_matrix(self.interactions.matrix)"),
    Mutant("study", "a refit forgets the settings", "device=self.device, **self.settings)", "device=self.device)"),
    Mutant("study", "the least played items are taken for the most played", "np.argsort(-plays, kind=", "np.argsort(plays, kind=", "claims -k most_played"),
    Mutant("study", "a null's cover stops where that of the data did", '4 if "refit" in self.has else 2', "1"),
    # --- claims: the rule, the verdict over datasets, what is kept
    Mutant("claims/_finding", "an interval that reaches the margin is enough", "holds, fails = low >= margin, high < margin", "holds, fails = high >= margin, high < margin", "claims -k judge"),
    Mutant("claims/_finding", "the margin is left out", "holds, fails = high <= -margin, low > -margin", "holds, fails = high <= 0, low > 0", "claims -k judge"),
    Mutant("claims/_finding", "intervals of 90 %", "t.ppf(0.975", "t.ppf(0.95", "claims -k judge"),
    Mutant("claims/_finding", "the spread of the replicates is taken for that of their mean", "difference.std(ddof=1) / math.sqrt(r)", "difference.std(ddof=1)", "claims -k judge"),
    Mutant("claims/_registry", "four datasets are enough for all", "_FEWEST = 5", "_FEWEST = 4", "claims -k verdict_over"),
    Mutant("claims/_registry", "half of the datasets are most of them", "len(fails) > len(by_data) / 2", "len(fails) >= len(by_data) / 2", "claims -k verdict_over"),
    Mutant("claims/_registry", "a dataset on which one part holds is one on which all do", "by_data.items() if all(held)]", "by_data.items() if any(held)]", "claims -k mixed"),
    Mutant("claims/_registry", "undecided datasets are not named", '(open_on, "undecided on")', '([], "undecided on")', "claims -k over_datasets"),
    Mutant("claims/_registry", "a failure on generated data is passed over", ">= _FEWEST and not wrong", ">= _FEWEST", "claims -k generated"),
    Mutant("claims/_registry", "all replicates have one seed", "seed + s, **rank", "seed, **rank", "claims -k replicate"),
    Mutant("claims/_registry", "heavy claims are checked on all items", "study.most_played() if p.heavy else study", "study", "claims -k most_played"),
    Mutant("claims/_evidence", "findings of code that has changed are kept", '== found["hash"]\n', "is not None\n", "claims -k evidence"),
    Mutant("claims/_evidence", "findings on other data are kept", 'for key in ("sha256", "settings")', "for key in ()", "claims -k evidence"),
    # --- claims: some measures
    Mutant("claims/_theorem", "the fitted rows are those explained", "fitted, asked = pairs(spike, seed)", "fitted = asked = pairs(spike, seed)[0]", "claims/theorem -k held_out"),
    Mutant("claims/_theorem", "negative entries are counted, not weighed", "np.sum(block[block < -1e-10 * np.abs(block).max()] ** 2) / np.sum(block**2)", "np.mean(block < -1e-10 * np.abs(block).max())", "claims/theorem -k negative"),
    Mutant("claims/_advice", "the popular half of the hidden items is called rare", '"rare": popular <= np.median(popular)', '"rare": popular >= np.median(popular)', "claims/advice -k hits"),
    Mutant("claims/_advice", "lists of two fits are matched by row, not by item", 'row[listed(part.E, rows, "cosine")]', 'listed(part.E, rows, "cosine")', "claims/advice -k repeat"),
    Mutant("claims/_advice", "the tail begins at the smallest value", "[-(len(values) // 2) :]", "[:]", "claims/advice -k tail"),
    Mutant("claims/_stability", "the gap is that of the lowest quintile over the highest", "overlap.iloc[-1] - overlap.iloc[0]", "overlap.iloc[0] - overlap.iloc[-1]", "claims/stability -k given"),
    Mutant("claims/_averages", "the outsider is a member", "D = E[picks[:, 0]] - E[picks[:, k]]", "D = E[picks[:, 0]] - E[picks[:, k - 1]]", "claims/averages -k wins"),
    # --- reports and comparisons
    Mutant("report/_decide", "the verdict goes by the highest rank that is spiky", "held[min(1, len(held) - 1)] if held", "held[-1] if held", "playground -k sentence"),
    Mutant("report/_decide", "a common mean is not named", "- 1 / read[\"rows\"] >= 0.5", "- 1 / read[\"rows\"] >= 1.5", "report -k common_mean"),
    Mutant("report/_decide", "popular items are said to lose their neighbours", "gap = parts[-1] - parts[0]", "gap = parts[0] - parts[-1]", "report -k instability"),
    Mutant("report/_decide", "what shuffled dates lose counts as lost in time", "if kept.mean() > by_chance - 0.1:", "if kept.mean() > 0.9:", "report -k on_time"),
    Mutant("report/_decide", "a recall no better than chance decides", "len(best) ** 0.5 <= chance", "len(best) ** 0.5 <= 0", "report -k chance"),
    Mutant("report/_measure", "the rank is the largest that does as well", "return min(f for (f, _), hit", "return max(f for (f, _), hit", "report -k smallest"),
    Mutant("report/_measure", "the exponent is that of the highest recall", "if low <= 0 or high < 0.01:", "if low <= 0 and high <= 0:", "report -k smallest"),
    Mutant("report/_measure", "a row that repeats counts with the row it repeats", "repeated = len(first) - len(Counter(", "repeated = 2 * len(first) - 2 * len(Counter(", "report -k repeated"),
    Mutant("report/_report", "the interval of Spk is that of a resample", "half = 1.96 * 2 * spread", "half = 1.96 * spread", "report -k interval"),
    Mutant("report/_compare", "rows are matched by their number", "return rows, row[rows]", "return rows, rows", "compare -k literal"),
    Mutant("report/_compare", "keeping more of a list is a change", 'return row["value"] < row["floor"] if', 'return row["value"] > row["floor"] if', "compare -k change"),
    Mutant("report/_compare", "the floor is the mean, without its noise", "max(_SLACK, noise)", "0.0", "compare -k no_change"),
    Mutant("report/_compare", "a gate fails on the other side", '"<": np.less, ', '"<": np.greater, ', "compare -k gate"),
    Mutant("report/_compare", "spikes that dissolve are looked for where they were", "dead = [rows for rows in of_a if _together(B[rows])", "dead = [rows for rows in of_a if _together(A[rows])", "compare -k named"),
    Mutant("report/_compare", "the highest norms are the first quintile", "quintile[np.argsort(norm, kind=", "quintile[np.argsort(-norm, kind=", "compare -k quintile"),
    # --- the book's pages
    Mutant("spiky.js", "a cosine equal to the threshold captures", "> cosTheta;", ">= cosTheta;", "playground -k peaks"),
    Mutant("spiky.js", "candidates by increasing norm", "order.sort((i, j) => norm[j] - norm[i] || i - j);\n    const goal", "order.sort((i, j) => norm[i] - norm[j] || i - j);\n    const goal", "playground -k peaks"),
    Mutant("spiky.js", "a row is given up before all its columns are seen", "if (sum + unit[a + 8] * chosen[b + 8] < low) return false;", "if (sum < low) return false;", "playground -k peaks"),
    Mutant("spiky.js", "one row more than the share must be captured", "Math.ceil(rho * E.n - 1e-9)", "Math.floor(rho * E.n) + 1", "playground -k peaks"),
    Mutant("spiky.js", "columns past f count", "x = rows[i * f + k] / norm[i];", "x = data[i * f + k] / norm[i];", "playground -k peaks"),
    Mutant("spiky.js", "the seed is forgotten", "(seed + Math.imul(k, 0x9e3779b9))", "Math.imul(k, 0x9e3779b9)", "playground -k twin"),
    Mutant("spiky.js", "the covariance is taken about the origin", "sum / n - mean[Math.floor(at / d)] * mean[at % d]", "sum / n", "playground -k baselines"),
    Mutant("spiky.js", "eigenvalues by value, not by magnitude", "Math.abs(b) - Math.abs(a) || b - a", "b - a", "playground -k catalogue"),
    Mutant("spiky.js", "all items have one degree", "1 - 0.9 * spread * uniform()", "1", "playground -k catalogue"),
    Mutant("spiky.js", "ties of neighbours go to the higher row", "score[j] - score[i] || i - j", "score[j] - score[i] || j - i", "playground -k neighbours"),
    Mutant("spiky.js", "fewer peaks than the nearest baseline are enough to be spiky", "share(rank) <= 0.5", "share(rank) < 1", "playground -k sentence"),
    Mutant("drop.js", "columns of a file are read as rows", "/'fortran_order': True/", "/'fortran_order': Yes/", "playground -k files"),
    Mutant("drop.js", "bytes are read in one order only", 'const little = order !== ">";', "const little = true;", "playground -k files"),
    Mutant("drop.js", "small half-precision numbers are zero", "rest * 2 ** -24", "0", "playground -k files"),
    Mutant("drop.js", "a row with a cell missing is read", "before !== first.length - d)", "false)", "playground -k refused"),
    Mutant("drop.js", "the first row counts as a repeat", "at && compare(order[at - 1], i) === 0", "!at || compare(order[at - 1], i) === 0", "playground -k sentence"),
]  # fmt: skip
