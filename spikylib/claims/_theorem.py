"""Claims of chapter 4: the theorem, what it asks for, and its converse."""

from dataclasses import replace
from functools import lru_cache

import numpy as np

from spikylib import dcbm, nulls, spikes, svd, synthetic
from spikylib._arrays import unit_rows
from spikylib.claims import _controls
from spikylib.claims._registry import NotApplicable, claim

_AXES = 64  # dimensions in which communities are looked for
_MOST = 1000  # pairs of rows, for blocks of M-hat between them
_EXACT = 1e-9  # what rounding may leave of an identity
ALL = slice(None)


@claim(
    "P16",
    "directions",
    expect="equal",
    margin=_EXACT,
    value="the largest deviation from one direction, in U Sigma^p and V, of rows on a spike of U",
    against="that of a spike being",
)
def spikes_stay_spikes(study, seed):
    """Rows on one spike of U point in one direction in V and in U Sigma^p.

    Replicates are made matrices. Lemma 3.3; the proof is in chapter 4.
    """
    planted, spike = exact_spikes(seed)
    moved = [planted.V, *(planted.embeddings(p) for p in (0.0, 0.5, 1.0))]
    return max(
        np.linalg.norm(unit_rows(E) - unit_rows(E)[first(spike)][spike], axis=1).max() for E in moved
    ), 0.0


@claim(
    "P16",
    "unit length",
    expect="equal",
    margin=_EXACT,
    value="the length in V of a unit direction of U",
    against="the unit being",
)
def directions_keep_their_length(study, seed):
    """The direction in V of a spike of U is a unit vector.

    Replicates are made matrices. It is so for spikes taken in U; for those of U Sigma, which Theorem 3.4
    takes, see P17. Lemma 3.3.
    """
    planted, spike = exact_spikes(seed)
    length = np.linalg.norm(planted.U, axis=1)
    in_V = np.linalg.norm(planted.V, axis=1)[first(spike)] / length[first(spike)]
    return in_V[np.abs(in_V - 1).argmax()], 1.0


@claim(
    "P17",
    "exact spikes",
    expect="equal",
    margin=_EXACT,
    value="the largest relative error of the model, on exact spikes",
    against="that of an identity being",
)
def exact_spikes_are_a_dcbm(study, seed):
    """Where spikes are exact, |M-hat| on their rows is proportional to the mean of a DCBM.

    Replicates are made matrices; the constant is that of chapter 4, so that B is in [0, 1]. Theorem 3.4.
    """
    planted, spike = exact_spikes(seed)
    model = dcbm.from_spikes(planted, spike)
    return np.abs(model.scale * model.mean() / np.abs(planted.reconstruct(ALL, ALL)) - 1).max(), 0.0


@claim(
    "P17",
    "the paper's constant",
    expect="less",
    value="the largest affinity under the paper's constant, of a matrix in thousandths of its unit",
    against="the largest probability being",
)
def constant_of_the_paper(study, seed):
    """With the paper's constant, the square of the largest norm, B is in [0, 1] whatever the unit of M.

    Replicates are made matrices. The proof takes the direction in V for a unit vector; it is one for
    spikes of U (P16), not for those of U Sigma. Chapter 4 has the constant that serves.
    """
    planted, spike = exact_spikes(seed, scale=1e-3)
    return np.abs(dcbm.signed_affinity(planted, spike)).max(), 1.0


@claim(
    "P17",
    "between spikes, f = 32",
    needs={"svd"},
    margin=0.25,  # less than a quarter of M-hat is no reason to speak of a structure in communities
    unit="%",
    value="explained of M-hat^2 between spikes, on rows that were not fitted",
    against="by degrees without communities",
    holds_on=_controls.linked,
    fails_on=_controls.communities,
)
def explained_between_spikes(study, seed):
    """Between spikes, a DCBM explains much more of M-hat^2 than the degrees alone do.

    One half of each spike gives the affinities, and the other half is explained. Null: the communities
    shuffled among the rows, so that degrees and the number of parameters stay. Blocks inside spikes,
    which any rows that point one way explain, are left out. Replicates are draws of 80 % of the
    contexts. Theorem 3.4.
    """
    part, cover = leading(study.resampled(seed), 32)
    mixed = cover.spike.copy()
    mixed[mixed >= 0] = np.random.default_rng(seed).permutation(mixed[mixed >= 0])
    return explained_by_halves(part, cover.spike, seed), explained_by_halves(part, mixed, seed)


@claim(
    "P17",
    "beyond the cones, f = 32",
    needs={"svd"},
    margin=0.02,
    unit="%",
    value="explained of M-hat^2 between spikes, on rows that were not fitted",
    against="with the rows turned about their peaks at random",
    holds_on=_controls.linked,
    fails_on=_controls.communities,
)
def explained_beyond_cones(study, seed):
    """A DCBM explains more of M-hat^2 between spikes than it would of any rows so near their peaks.

    Null: each row keeps its norm and its angle to its peak, and is turned about the peak at random.
    Replicates are draws of 80 % of the contexts.
    """
    part, cover = leading(study.resampled(seed), 32)
    E, on = part.embeddings(), cover.spike >= 0
    E[on] = nulls.in_cones(E[on], E[cover.peaks[cover.spike[on]]], seed=seed)
    sign = np.where((part.U * part.V).sum(axis=0) < 0, -1.0, 1.0)
    turned = replace(part, U=E / part.s, V=E / part.s * sign)
    return explained_by_halves(part, cover.spike, seed), explained_by_halves(turned, cover.spike, seed)


@claim(
    "P18",
    "the two ends",
    expect="equal",
    margin=_EXACT,
    unit="%",
    value="the largest negative share of M-hat^2, at f = 1 and at f = rank",
    against="that of a non-negative matrix being",
)
def nothing_negative_at_the_ends(study, seed):
    """M-hat has no negative entry at f = 1, nor at f = rank.

    Replicates are random sparse non-negative matrices. At f = 1 it is Perron and Frobenius; where two
    eigenvalues of largest magnitude differ in sign, the solver must take the positive one.
    """
    M = np.triu(np.random.default_rng(seed).exponential(size=(60, 60)) ** 3)
    M = np.where(M + M.T > 3, M + M.T, 0.0)
    return max(negative_share(svd.truncated_svd(M, f).reconstruct(ALL, ALL)) for f in (1, 60)), 0.0


@claim(
    "P18",
    "by number",
    needs={"svd"},
    expect="less",
    unit="%",
    value="negative entries of M-hat",
    against="the most that is roughly non-negative being",
    holds_on=_controls.as_many_items_as_dimensions,
    fails_on=_controls.communities,
)
def few_entries_are_negative(study, seed):
    """Of the entries of M-hat at most one in twenty is negative.

    Rows are a sample of 300. Replicates are draws of 80 % of the contexts.
    """
    block, _ = sampled_rows(study.resampled(seed), seed)
    return np.mean(block < -1e-10 * np.abs(block).max()), 0.05


@claim(
    "P18",
    "by squares",
    needs={"svd"},
    expect="less",
    unit="%",
    value="share of M-hat^2 in negative entries",
    against="the most that is roughly non-negative being",
    holds_on=_controls.communities,
    fails_on=_controls.shuffled,
)
def negative_entries_are_small(study, seed):
    """Of M-hat^2 at most one part in twenty is in negative entries.

    Squares are what the SVD weighs. Rows are a sample of 300. Replicates are draws of 80 % of the contexts.
    """
    block, _ = sampled_rows(study.resampled(seed), seed)
    return negative_share(block), 0.05


@claim(
    "P19",
    "where M is zero",
    needs={"svd"},
    expect="less",
    margin=0.1,
    unit="%",
    value="negative in M-hat where M is positive",
    against="where M is zero",
    holds_on=_controls.communities,
    fails_on=_controls.as_many_items_as_dimensions,
)
def negative_where_nothing_is_known(study, seed):
    """Entries of M-hat are negative where M is zero, and hardly ever where it is positive.

    Rows are a sample of 300. Replicates are draws of 80 % of the contexts.
    """
    block, linked = sampled_rows(study.resampled(seed), seed)
    if linked.all():
        raise NotApplicable("two items without a link")
    negative = block < -1e-10 * np.abs(block).max()
    return negative[linked].mean(), negative[~linked].mean()


@claim(
    "P19",
    "isolated, f = 32",
    needs={"svd"},
    expect="equal",
    margin=0.1,
    unit="%",
    value="negative where another entry of the same two spikes is negative",
    against="negative between spikes at all",
    holds_on=_controls.communities,
    fails_on=_controls.ring,
)
def negative_entries_are_isolated(study, seed):
    """A negative entry of M-hat says nothing of the other entries between its two spikes.

    Null: negative entries fall between spikes at random, so that after one of them the next is negative
    as often as any. Where whole blocks are negative it always is. Replicates are draws of 80 % of the
    contexts.
    """
    part, cover = leading(study.resampled(seed), 32)
    one, other = pairs(cover.spike, seed)
    apart = cover.spike[one][:, None] != cover.spike[one]
    first, second = (part.reconstruct(rows, rows)[apart] < 0 for rows in (one, other))
    return second[first].mean(), first.mean()


@claim(
    "P20",
    "reached by columns of U",
    needs={"svd"},
    unit="%",
    value="communities that have one of the first 64 columns to themselves",
    against="half of them being",
    holds_on=_controls.many_communities,
    fails_on=_controls.shuffled,
)
def columns_reach_communities(study, seed):
    """More than half of the communities have a column of U, among the first 64, mostly to themselves.

    Communities are the spikes at f = 16; where there are more than 64, half of 64 are asked for. A column belongs to a community that
    holds more than half of its square. Replicates are draws of 80 % of the contexts.
    """
    U, spike = basis(study.resampled(seed))
    return len(set(owners(U, spike))) / min(_AXES, len(first(spike[spike >= 0]))), 0.5


@claim(
    "P20",
    "reached after varimax",
    needs={"svd"},
    unit="%",
    value="communities that have one of 64 rotated dimensions to themselves",
    against="half of them being",
    holds_on=_controls.many_communities,
    fails_on=_controls.shuffled,
)
def axes_reach_communities(study, seed):
    """More than half of the communities have one of 64 dimensions, rotated to tell them apart, to themselves.

    As for columns of U, after a varimax rotation of the first 64: which communities the SVD spends its
    ranks on is a property of the space, and the columns of U mix communities. Source of the rotation:
    Rohe and Zeng, arXiv 2004.05387.
    """
    axes, spike = rotated(study.resampled(seed))
    return len(set(owners(axes, spike))) / min(_AXES, len(first(spike[spike >= 0]))), 0.5


@claim(
    "P20",
    "one each, after varimax",
    needs={"svd"},
    unit="%",
    value="first dimensions of a community, of those that belong to one",
    against="half of them being",
    holds_on=_controls.many_communities,
    fails_on=_controls.drifting,
)
def one_axis_each(study, seed):
    """Of the rotated dimensions that belong to a community, more than half are its first.

    The rest go to communities that have a dimension already, as those of higher rank need.
    """
    owned = owners(*rotated(study.resampled(seed)))
    if len(owned) == 0:
        raise NotApplicable("a dimension that belongs to a community")
    return len(set(owned)) / len(owned), 0.5


@claim(
    "P21",
    "the mean",
    expect="equal",
    margin=_EXACT,
    value="the largest deviation of rows of U from one orthogonal direction a community",
    against="that of exact spikes being",
)
def mean_gives_spikes(study, seed):
    """The mean of a DCBM whose affinities are an invertible matrix has one spike a community in U, orthogonal.

    Replicates are random models, assortative or not. Known before the paper: Jin (2015), Lei and
    Rinaldo (2015); the proof is in chapter 4.
    """
    rng = np.random.default_rng(seed)
    B, community = rng.random((6, 6)), np.repeat(np.arange(6), 20)
    model = dcbm.DCBM(community, (B + B.T) / 2, rng.uniform(0.1, 1, 120))
    direction = unit_rows(svd.truncated_svd(model.mean(), 6).U)
    apart = np.abs(direction[::20] @ direction[::20].T - np.eye(6)).max()
    return max(apart, np.abs(direction - direction[::20][community]).max()), 0.0


@claim(
    "P21",
    "samples",
    expect="less",
    value="Spk of sampled graphs over that of the lowest null",
    against="the most that is called spiky being",
)
def samples_give_spikes(study, seed):
    """A graph drawn from a DCBM has at most half of the Spk of every null, at f = K.

    Graphs of 800 items in 8 communities with log-normal degrees, a replicate each. Nulls: independent
    normal rows, rows of the same spectrum, rows of the same mean and covariance.
    """
    alpha = np.exp(0.5 * np.random.default_rng(seed).standard_normal(800))
    degree = np.minimum(0.4 * alpha / alpha.mean(), 1)
    graph = dcbm.DCBM(np.repeat(np.arange(8), 100), 0.1 + 0.9 * np.eye(8), degree).sample(seed)
    E = svd.truncated_svd(graph.astype(float), 8).embeddings()
    draws = (
        nulls.gaussian(*E.shape, seed=seed),
        nulls.same_spectrum(E, seed=seed),
        nulls.like_normal(E, seed=seed),
    )
    return spikes.spk(E) / min(map(spikes.spk, draws)), 0.5


@claim(
    "N1",
    "equal popularity",
    expect="equal",
    margin=_EXACT,
    value="the spread of norms in a community of equally popular items, over their mean",
    against="that of one point being",
)
def equal_items_are_one_point(study, seed):
    """Where all items of a community are equally popular, its rows are one point and not a line.

    Mean of a DCBM of four communities; replicates are random affinities.
    """
    norm = np.linalg.norm(rays(four_communities(seed), np.full(400, 0.5)), axis=1).reshape(4, 100)
    return (norm.std(axis=1) / norm.mean(axis=1)).max(), 0.0


@claim(
    "N1",
    "equal popularity, by Spk",
    margin=1.0,
    value="peaks where items are equally popular",
    against="where popularity varies",
)
def peaks_tell_popularity(study, seed):
    """Where all items of a community are equally popular, Spk finds no spikes: it needs more peaks.

    Same model with degrees that vary, uniform on (0.1, 1). All rows are to be captured, at a cosine of 0.99.
    """
    B, varied = four_communities(seed), np.random.default_rng(seed).uniform(0.1, 1, 400)
    return n_rays(B, np.full(400, 0.5)), n_rays(B, varied)


@claim(
    "N1",
    "affinities alike",
    expect="equal",
    value="half-lines where all communities are linked alike",
    against="one community having",
)
def alike_is_one_ray(study, seed):
    """Where communities are linked with each other as much as within, all rows are on one half-line.

    Affinities of rank 1; replicates are degrees.
    """
    return n_rays(np.full((4, 4), 0.4), np.random.default_rng(seed).uniform(0.1, 1, 400)), 1.0


@claim(
    "N1",
    "links between communities only",
    expect="less",
    margin=1.0,
    value="half-lines where hardly any link is inside a community",
    against="as many communities as",
)
def no_assortativity_no_spikes(study, seed):
    """Where links are between communities and not inside them, there are fewer spikes than communities.

    Affinities are 0.05 within and 1 between. It takes affinities of full rank, not assortativity: a
    spike need not be a dense group. Replicates are degrees.
    """
    varied = np.random.default_rng(seed).uniform(0.1, 1, 400)
    return n_rays(np.ones((4, 4)) - 0.95 * np.eye(4), varied), 4.0


def exact_spikes(seed, scale=1.0):
    """Factors of a made matrix at its rank, on the rows that are on spikes, and the spike of each."""
    M, spike = synthetic.planted_spikes((60, 40, 30), 50, seed=seed)
    whole, on = svd.truncated_svd(scale * M, 3), spike >= 0
    return replace(whole, U=whole.U[on], V=whole.V[on]), spike[on]


def first(spike):
    """First row of each spike."""
    return np.unique(spike, return_index=True)[1]


def leading(study, f):
    """The first f triplets of a study, and their cover."""
    f = min(f, len(study.svd.s))
    return study.svd.leading(f), study.cover(f)


def pairs(spike, seed):
    """Rows two by two, each pair on one spike: at most a thousand pairs drawn at random, a row in one at most."""
    rng = np.random.default_rng(seed)
    rows = rng.permutation(np.flatnonzero(spike >= 0))
    rows = rows[np.argsort(spike[rows], kind="stable")]
    place = np.arange(len(rows)) - np.searchsorted(spike[rows], spike[rows])
    second = rng.permutation(np.flatnonzero(place % 2))[:_MOST]
    if len(np.unique(spike[rows[second]])) < 2:
        raise NotApplicable("two spikes of several rows")
    return rows[second - 1], rows[second]


def explained_by_halves(factors, spike, seed):
    """Share of |M-hat|^2 between spikes that a DCBM fitted to one row of each pair explains on the other."""
    fitted, asked = pairs(spike, seed)
    known = np.full(len(spike), -1)
    known[fitted] = spike[fitted]
    affinity = np.abs(dcbm.signed_affinity(factors, known))
    community, norm = np.unique(spike[asked], return_inverse=True)[1], dcbm.degree_from_norm(factors)[asked]
    target, apart = np.abs(factors.reconstruct(asked, asked)), community[:, None] != community
    error = target - norm[:, None] * norm * affinity[np.ix_(community, community)]
    return 1 - np.sum(error[apart] ** 2) / np.sum(target[apart] ** 2)


@lru_cache(maxsize=1)
def sampled_rows(study, seed):
    """M-hat on at most 300 rows drawn at random, and where M is positive."""
    rows = np.random.default_rng(seed).permutation(study.M.shape[0])[:300]
    return study.svd.reconstruct(rows, ALL), study.M[rows].toarray() > 0


def negative_share(block):
    """Share of the squares in negative entries, rounding left out."""
    return np.sum(block[block < -1e-10 * np.abs(block).max()] ** 2) / np.sum(block**2)


def basis(study):
    """The first 64 columns of U, and the spike of each row at f = 16, or -1.

    Rows that lie mostly in later dimensions are on no spike: where they point in 16 is chance. All is on the
    10,000 rows that weigh most.
    """
    if len(study.svd.s) < _AXES:
        raise NotApplicable(f"{_AXES} dimensions")
    U, square = study.svd.U[:, :_AXES], study.E[:, :_AXES] ** 2
    resolved = 2 * square[:, :16].sum(axis=1) > square.sum(axis=1)
    rows = np.argsort(-np.sum(U**2, axis=1), kind="stable")[:10_000]
    spike = np.where(resolved, study.cover(16).spike, -1)[rows]
    if spike.max() < 0:
        raise NotApplicable("a spike in 16 dimensions")
    return U[rows], spike


@lru_cache(maxsize=1)
def rotated(study):
    """As `basis`, the columns rotated."""
    U, spike = basis(study)
    return spikes.varimax(U), spike


def owners(columns, spike):
    """The spike that holds more than half of its square, of each column that has one."""
    held = [np.bincount(spike[spike >= 0], column[spike >= 0] ** 2) for column in columns.T]
    shares = np.array(held) / np.sum(columns**2, axis=0)[:, None]
    return shares.argmax(axis=1)[shares.max(axis=1) > 0.5]


def four_communities(seed):
    """Random affinities of four communities, each linked most to itself."""
    B = np.random.default_rng(seed).uniform(0.05, 0.3, (4, 4))
    return (B + B.T) / 2 + 0.7 * np.eye(4)


def rays(affinity, degree):
    """Rows that four communities of 100 items have in four dimensions."""
    model = dcbm.DCBM(np.repeat(np.arange(4), 100), affinity, degree)
    return svd.truncated_svd(model.mean(), 4).embeddings()


def n_rays(affinity, degree):
    """How many half-lines hold all of those rows."""
    return len(spikes.cover(rays(affinity, degree), f=4, cos_theta=0.99, rho=1).peaks)
