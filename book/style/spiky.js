// The arithmetic of spikes for a page: generator, block model, spectrum, cover, baselines, neighbours, verdict.
// The definitions are those of spikylib, and tests/test_playground.py compares the results. A matrix is
// { data: Float64Array by rows, n: rows, d: columns }. All of it is one function, so that a worker, which
// cannot load a file where the page is one, can be made of its text.
function spikyModule() {
  "use strict";
  const matrix = (n, d, data = new Float64Array(n * d)) => ({ data, n, d });

  // --- random numbers ---------------------------------------------------------------------------------

  // xoshiro128** (Blackman and Vigna, https://doi.org/10.1145/3460772); the four words of its state are multiples
  // of the golden ratio after the finaliser of MurmurHash3 (Appleby). Normal numbers by the polar method of
  // Marsaglia (https://doi.org/10.1137/1006063), whose only inexact step is a logarithm.
  function generator(seed) {
    let [a, b, c, d] = [1, 2, 3, 4].map((k) => {
      let x = (seed + Math.imul(k, 0x9e3779b9)) | 0;
      x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
      x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
      return x ^ (x >>> 16);
    });
    let spare = null;
    const turned = (x, by) => (x << by) | (x >>> (32 - by));
    const bits = () => {
      const drawn = Math.imul(turned(Math.imul(b, 5), 7), 9) >>> 0;
      const t = b << 9;
      c ^= a;
      d ^= b;
      b ^= c;
      a ^= d;
      c ^= t;
      d = turned(d, 11);
      return drawn;
    };
    // 53 bits, in [0, 1)
    const uniform = () => { const high = bits() >>> 5; return (high * 2 ** 26 + (bits() >>> 6)) / 2 ** 53; };
    const normal = () => {
      if (spare !== null) { const kept = spare; spare = null; return kept; }
      let x, y, square;
      do {
        x = 2 * uniform() - 1;
        y = 2 * uniform() - 1;
        square = x * x + y * y;
      } while (square >= 1 || square === 0);
      const by = Math.sqrt((-2 * Math.log(square)) / square);
      spare = y * by;
      return x * by;
    };
    return { uniform, normal };
  }

  // --- a catalogue: the mean of a degree-corrected block model, and noise ------------------------------------

  // Communities side by side, the first twice as large as the one after the last would be; degrees are uniform between
  // 1 - 0.9 spread and 1; noise is the standard deviation of an entry of M.
  function catalogue({ n = 300, K, spread, within, between, noise, seed = 0 }) {
    const { uniform, normal } = generator(seed);
    const weight = Array.from({ length: K }, (_, k) => 2 * K - k);
    const total = weight.reduce((a, b) => a + b);
    const community = [];
    for (let k = 0, sum = 0; k < K; k += 1) {
      sum += weight[k];
      while (community.length < Math.round((n * sum) / total)) community.push(k);
    }
    const degree = Float64Array.from(community, () => 1 - 0.9 * spread * uniform());
    const M = matrix(n, n);
    for (let i = 0; i < n; i += 1) {
      for (let j = i; j < n; j += 1) {
        const affinity = community[i] === community[j] ? within : between;
        const entry = degree[i] * degree[j] * affinity + (noise ? noise * normal() : 0);
        M.data[i * n + j] = M.data[j * n + i] = entry;
      }
    }
    return { community, degree, M };
  }

  // --- eigenpairs of a symmetric matrix ---------------------------------------------------------------

  // The f eigenpairs of largest magnitude: { values: [f], vectors: n x f }, by falling |value|; in each
  // vector the entry of largest magnitude is positive. By Householder's tridiagonal form, its eigenvalues by the
  // implicit QL method, and its vectors by inverse iteration (Golub and Van Loan, Matrix Computations, chapter 8):
  // only f vectors are ever turned back, which takes a fifth of the time of all of them.
  function spectrum({ data, n }, f) {
    const { mirrors, diagonal, beside } = tridiagonal(data, n);
    const values = eigenvalues(diagonal, beside).sort((a, b) => Math.abs(b) - Math.abs(a) || b - a).slice(0, f);
    const found = [];
    const scale = Math.abs(values[0]) || 1;
    const { normal } = generator(1);
    for (const value of values) {
      const solve = shifted(diagonal, beside, value, scale);
      const x = Float64Array.from({ length: n }, normal);
      // against those before it each time, so that equal eigenvalues get vectors of their own
      for (let step = 0; step < 3; step += 1) {
        if (step) solve(x);
        for (let twice = 0; twice < 2; twice += 1) {
          scaled(x, 1 / length(x));
          for (const other of found) add(x, other, -product(x, other));
        }
        scaled(x, 1 / length(x));
      }
      found.push(x);
    }
    const vectors = matrix(n, values.length);
    found.forEach((x, k) => {
      for (let m = n - 3; m >= 0; m -= 1) {
        const mirror = mirrors[m];
        if (!mirror) continue;
        let sum = 0;
        for (let i = m + 1; i < n; i += 1) sum += mirror[i] * x[i];
        for (let i = m + 1; i < n; i += 1) x[i] -= sum * mirror[i];
      }
      let largest = 0;
      for (let i = 1; i < n; i += 1) if (Math.abs(x[i]) > Math.abs(x[largest])) largest = i;
      const sign = Math.sign(x[largest]);
      for (let i = 0; i < n; i += 1) vectors.data[i * values.length + k] = sign * x[i];
    });
    return { values, vectors };
  }

  // The numerical rank, as far as these eigenvalues go.
  const rank = ({ values }) => values.filter((value) => Math.abs(value) > ZERO * Math.abs(values[0])).length;

  const product = (x, y) => { let sum = 0; for (let i = 0; i < x.length; i += 1) sum += x[i] * y[i]; return sum; };
  const length = (x) => Math.sqrt(product(x, x));
  const add = (x, y, by) => { for (let i = 0; i < x.length; i += 1) x[i] += by * y[i]; };
  const scaled = (x, by) => { for (let i = 0; i < x.length; i += 1) x[i] *= by; };

  // Mirrors I - v v' that bring a symmetric matrix to its diagonal and the entries beside it.
  function tridiagonal(symmetric, n) {
    const A = Float64Array.from(symmetric); // of which the lower half is used
    const [mirrors, diagonal, beside] = [[], new Float64Array(n), new Float64Array(n)];
    const p = new Float64Array(n);
    for (let k = 0; k < n; k += 1) {
      diagonal[k] = A[k * n + k];
      if (k + 1 === n) break;
      const v = new Float64Array(n);
      for (let i = k + 1; i < n; i += 1) v[i] = A[i * n + k];
      const norm = length(v);
      beside[k] = v[k + 1];
      mirrors.push(null);
      if (k + 2 === n || norm === 0) continue;
      beside[k] = v[k + 1] > 0 ? -norm : norm;
      v[k + 1] -= beside[k];
      scaled(v, Math.SQRT2 / length(v));
      mirrors[k] = v;
      p.fill(0);
      for (let i = k + 1; i < n; i += 1) {
        const [row, vi] = [i * n, v[i]];
        let sum = A[row + i] * vi;
        for (let j = k + 1; j < i; j += 1) {
          sum += A[row + j] * v[j];
          p[j] += A[row + j] * vi;
        }
        p[i] += sum;
      }
      add(p, v, -0.5 * product(v, p));
      for (let i = k + 1; i < n; i += 1) {
        const [row, vi, pi] = [i * n, v[i], p[i]];
        for (let j = k + 1; j <= i; j += 1) A[row + j] -= vi * p[j] + pi * v[j];
      }
    }
    return { mirrors, diagonal, beside };
  }

  // Eigenvalues of a symmetric tridiagonal matrix.
  function eigenvalues(diagonal, beside) {
    const [d, e] = [Float64Array.from(diagonal), Float64Array.from(beside)];
    const n = d.length;
    for (let l = 0; l < n; l += 1) {
      for (;;) {
        let m = l;
        while (m < n - 1 && Math.abs(e[m]) > Number.EPSILON * (Math.abs(d[m]) + Math.abs(d[m + 1]))) m += 1;
        if (m === l) break;
        // Wilkinson's shift, and a rotation that is chased from m to l
        const half = (d[l + 1] - d[l]) / (2 * e[l]);
        let g = d[m] - d[l] + e[l] / (half + (half < 0 ? -1 : 1) * Math.sqrt(half * half + 1));
        let [s, c, p, i] = [1, 1, 0, m - 1];
        for (; i >= l; i -= 1) {
          const [f, b] = [s * e[i], c * e[i]];
          const r = Math.sqrt(f * f + g * g);
          e[i + 1] = r;
          if (r === 0) break;
          [s, c] = [f / r, g / r];
          const high = d[i + 1] - p;
          const t = (d[i] - high) * s + 2 * c * b;
          p = s * t;
          d[i + 1] = high + p;
          g = c * t - b;
        }
        if (i >= l) { d[i + 1] -= p; e[m] = 0; continue; }
        d[l] -= p;
        e[l] = g;
        e[m] = 0;
      }
    }
    return d;
  }

  // A function that replaces x by the solution of (T - value) y = x: elimination with pivots, once.
  function shifted(diagonal, beside, value, scale) {
    const n = diagonal.length;
    const [first, second, third, factor] = [0, 0, 0, 0].map(() => new Float64Array(n));
    const swapped = new Uint8Array(n);
    let [at, next] = [diagonal[0] - value, beside[0]];
    for (let i = 0; i + 1 < n; i += 1) {
      const [below, middle, right] = [beside[i], diagonal[i + 1] - value, i + 2 < n ? beside[i + 1] : 0];
      if (Math.abs(below) > Math.abs(at)) {
        [swapped[i], factor[i]] = [1, at / below];
        [first[i], second[i], third[i]] = [below, middle, right];
        [at, next] = [next - factor[i] * middle, -factor[i] * right];
      } else {
        factor[i] = at === 0 ? 0 : below / at;
        [first[i], second[i]] = [at, next];
        [at, next] = [middle - factor[i] * next, right];
      }
    }
    first[n - 1] = at;
    const tiny = Number.EPSILON * scale; // instead of a pivot of zero
    for (let i = 0; i < n; i += 1) if (Math.abs(first[i]) < tiny) first[i] = tiny;
    return (x) => {
      for (let i = 0; i + 1 < n; i += 1) {
        if (swapped[i]) [x[i], x[i + 1]] = [x[i + 1], x[i]];
        x[i + 1] -= factor[i] * x[i];
      }
      for (let i = n - 1; i >= 0; i -= 1) {
        const right = i + 1 < n ? second[i] * x[i + 1] + (i + 2 < n ? third[i] * x[i + 2] : 0) : 0;
        x[i] = (x[i] - right) / first[i];
      }
    };
  }

  // U Sigma^p of the leading f of these eigenpairs.
  function embedding({ values, vectors }, f, p) {
    const E = matrix(vectors.n, f);
    const by = Array.from(values, (value) => Math.abs(value) ** p);
    for (let i = 0; i < E.n; i += 1) {
      for (let k = 0; k < f; k += 1) E.data[i * f + k] = vectors.data[i * vectors.d + k] * by[k];
    }
    return E;
  }

  // E'E of the first f columns.
  function gram({ data, n, d }, f = d) {
    const G = matrix(f, f);
    for (let i = 0; i < n; i += 1) {
      for (let j = 0; j < f; j += 1) {
        const x = data[i * d + j];
        for (let k = 0; k <= j; k += 1) G.data[j * f + k] += x * data[i * d + k];
      }
    }
    for (let j = 0; j < f; j += 1) for (let k = 0; k < j; k += 1) G.data[k * f + j] = G.data[j * f + k];
    return G;
  }

  // A times B.
  function times(A, B) {
    const C = matrix(A.n, B.d);
    const [a, b, c, inner, d] = [A.data, B.data, C.data, A.d, B.d];
    for (let i = 0, to = 0; i < A.n; i += 1, to += d) {
      for (let k = 0; k < inner; k += 4) { // four rows of B at a time: C is read and written less often
        const [at, left] = [i * inner + k, inner - k];
        const [p, q, r, s] = [a[at], left > 1 ? a[at + 1] : 0, left > 2 ? a[at + 2] : 0, left > 3 ? a[at + 3] : 0];
        const [k0, k1, k2, k3] = [k * d, left > 1 ? (k + 1) * d : 0, left > 2 ? (k + 2) * d : 0, left > 3 ? (k + 3) * d : 0];
        for (let j = 0; j < d; j += 1) c[to + j] += p * b[k0 + j] + q * b[k1 + j] + r * b[k2 + j] + s * b[k3 + j];
      }
    }
    return C;
  }

  // The leading f principal axes of E, not centred, and E in them.
  const principal = (E, f) => times(E, spectrum(gram(E), f).vectors);

  // --- the cover ----------------------------------------------------------------------------------------

  // The product of two rows, its terms added in the order in which NumPy's einsum adds them on most machines (two
  // lanes, eight terms a step from the last to the first), so that norms that tie there tie here.
  function dot(x, i, y, j, f) {
    let [even, odd, k] = [0, 0, 0];
    for (; k + 8 <= f; k += 8) {
      for (let l = 6; l >= 0; l -= 2) {
        even += x[i + k + l] * y[j + k + l];
        odd += x[i + k + l + 1] * y[j + k + l + 1];
      }
    }
    for (; k + 2 <= f; k += 2) {
      even += x[i + k] * y[j + k];
      odd += x[i + k + 1] * y[j + k + 1];
    }
    return even + (k < f ? x[i + k] * y[j + k] : 0) + odd;
  }

  // Entries and norms of the first f columns at a scale, a power of two, at which no square leaves the range of floats.
  function measured({ data, n, d }, f) {
    const at = (scale) => {
      const rows = new Float64Array(n * f);
      for (let i = 0; i < n; i += 1) for (let k = 0; k < f; k += 1) rows[i * f + k] = data[i * d + k] * scale;
      const norm = Float64Array.from({ length: n }, (_, i) => Math.sqrt(dot(rows, i * f, rows, i * f, f)));
      return { rows, norm, top: norm.reduce((a, b) => Math.max(a, b), 0) };
    };
    let found = at(1);
    if (!(found.top > 1e-10 && found.top < 1e10)) {
      const largest = found.rows.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
      if (!Number.isFinite(largest)) throw new Error("a value is not a finite number; remove or fill such rows first");
      if (largest === 0) throw new Error("every row is zero: there is no direction to measure");
      found = at(2 ** -Math.min(Math.max(exponent(largest), -1022), 1022));
    }
    return found;
  }

  // e, where x is between 2^(e - 1) and 2^e
  function exponent(x) {
    let e = Math.ceil(Math.log2(x));
    while (2 ** e <= x && e < 1024) e += 1;
    while (2 ** (e - 1) > x) e -= 1;
    return e;
  }

  const ZERO = 1e-9; // share of the largest norm, or eigenvalue, up to which one counts as zero

  // Peaks by falling norm until they capture a share rho of the rows, as spikylib.spikes.cover: a generator that
  // yields the share done and returns { peaks, spike, captured }. It stops above `limit` peaks.
  function* covering(E, { f = E.d, cosTheta = 0.9, rho = 0.5, limit = Infinity } = {}) {
    const { rows, norm, top } = measured(E, f);
    const order = Array.from(norm.keys()).filter((i) => norm[i] > ZERO * top);
    order.sort((i, j) => norm[j] - norm[i] || i - j);
    const goal = Math.ceil(rho * E.n - 1e-9);
    // unit rows in blocks of eight columns, each followed by the norm of what comes after it
    const blocks = Math.ceil(f / 8);
    const stride = 9 * blocks;
    const unit = new Float64Array(order.length * stride);
    order.forEach((i, r) => {
      let rest = 0;
      for (let b = blocks - 1; b >= 0; b -= 1) {
        const to = r * stride + 9 * b;
        unit[to + 8] = Math.sqrt(rest);
        for (let k = 8 * b; k < Math.min(8 * b + 8, f); k += 1) {
          const x = rows[i * f + k] / norm[i];
          unit[to + k - 8 * b] = x;
          rest += x * x;
        }
      }
    });
    const most = 64;
    const chosen = new Float64Array(most * stride); // the peaks at hand, side by side
    const [low, high] = [cosTheta - 1e-12, cosTheta + 1e-12];
    const near = (r, k, peak) => {
      let sum = 0;
      for (let a = r * stride, b = k * stride, end = a + stride; a < end; a += 9, b += 9) {
        sum += unit[a] * chosen[b] + unit[a + 1] * chosen[b + 1] + unit[a + 2] * chosen[b + 2]
          + unit[a + 3] * chosen[b + 3] + unit[a + 4] * chosen[b + 4] + unit[a + 5] * chosen[b + 5]
          + unit[a + 6] * chosen[b + 6] + unit[a + 7] * chosen[b + 7];
        // what is left can add no more than the product of the norms that are left (Cauchy and Schwarz)
        if (sum + unit[a + 8] * chosen[b + 8] < low) return false;
      }
      if (sum > high) return true;
      return dot(rows, order[r] * f, rows, peak * f, f) / (norm[order[r]] * norm[peak]) > cosTheta;
    };
    const [peaks, captured, spike] = [[], [], new Int32Array(E.n).fill(-1)];
    const free = Int32Array.from(order.keys());
    let [count, total] = [free.length, 0];
    for (let size = 8; total < goal && count && peaks.length <= limit; size = Math.min(2 * size, most)) {
      // every free row goes to the first of these peaks that captures it, or is the next of them
      const [block, caught] = [[], []];
      let kept = 0;
      for (let c = 0; c < count; c += 1) {
        const r = free[c];
        let k = 0;
        while (k < block.length && !near(r, k, block[k])) k += 1;
        if (k === block.length && k < size) {
          chosen.set(unit.subarray(r * stride, (r + 1) * stride), k * stride);
          block.push(order[r]);
          caught.push([]);
        }
        if (k < block.length) caught[k].push(order[r]);
        else free[kept++] = r;
      }
      count = kept;
      for (let k = 0; k < block.length && total < goal; k += 1) {
        for (const i of caught[k]) spike[i] = peaks.length;
        total += caught[k].length;
        peaks.push(block[k]);
        captured.push(total);
      }
      yield Math.max(total / goal, peaks.length / limit);
    }
    return { peaks, spike, captured };
  }

  const finish = (steps) => { let step; do step = steps.next(); while (!step.done); return step.value; };
  const cover = (E, options) => finish(covering(E, options));

  // --- baselines ------------------------------------------------------------------------------------------

  // One draw of each, by name, as spikylib.nulls defines them and with this file's generator: independent normal
  // rows, random rows of the spectrum of E, and normal rows of the mean and covariance of the rows of E.
  function nullsOf(E) {
    const { n, d } = E;
    const mean = new Float64Array(d);
    for (let i = 0; i < n; i += 1) add(mean, E.data.subarray(i * d, (i + 1) * d), 1 / n);
    const covariance = gram(E);
    const s = spectrum(covariance, d).values.map((value) => Math.sqrt(Math.max(value, 0)));
    covariance.data.forEach((sum, at) => { covariance.data[at] = sum / n - mean[Math.floor(at / d)] * mean[at % d]; });
    const { values, vectors } = spectrum(covariance, d);
    const half = embedding({ values: values.map((value) => Math.max(value, 0)), vectors }, d, 0.25);
    const root = gram(matrix(d, d, transposed(half).data)); // the symmetric root
    return (seed) => {
      const { normal } = generator(seed);
      const gaussian = matrix(n, d, Float64Array.from({ length: n * d }, normal));
      const found = { gaussian, "like-normal": times(gaussian, root) };
      if (n >= d) found["same spectrum"] = orthogonal(gaussian, s);
      for (let i = 0; i < n; i += 1) add(found["like-normal"].data.subarray(i * d, (i + 1) * d), mean, 1);
      return found;
    };
  }

  function transposed({ data, n, d }) {
    const T = matrix(d, n);
    for (let i = 0; i < n; i += 1) for (let k = 0; k < d; k += 1) T.data[k * n + i] = data[i * d + k];
    return T;
  }

  // Columns made orthogonal, one after the other (Gram and Schmidt, as modified), and of the lengths given.
  function orthogonal(A, lengths) {
    const T = transposed(A);
    const column = (k) => T.data.subarray(k * A.n, (k + 1) * A.n);
    for (let k = 0; k < A.d; k += 1) {
      for (let j = 0; j < k; j += 1) add(column(k), column(j), -product(column(k), column(j)));
      scaled(column(k), 1 / length(column(k)));
    }
    lengths.forEach((by, k) => scaled(column(k), by));
    return transposed(T);
  }

  // --- neighbours -------------------------------------------------------------------------------------

  // The k rows most similar to a row, itself left out, as spikylib.retrieval.top_k: ties go to the lower row, and
  // scores that agree to 2^-39 of the largest possible one tie. A row without a direction has a cosine of 0.
  function neighbours(E, item, k, similarity, f = E.d) {
    const { rows, norm, top } = measured(E, f);
    const directed = (i) => norm[i] > ZERO * top;
    const tick = 2 ** (similarity === "cosine" ? -39 : exponent(norm[item] * top || 1) - 40);
    const score = Array.from(norm, (_, i) => {
      const dotted = dot(rows, i * f, rows, item * f, f);
      if (similarity !== "cosine") return Math.round(dotted / tick);
      return directed(i) && directed(item) ? Math.round(dotted / (norm[i] * norm[item]) / tick) : 0;
    });
    const others = score.map((_, i) => i).filter((i) => i !== item);
    return others.sort((i, j) => score[j] - score[i] || i - j).slice(0, k);
  }

  // --- the verdict --------------------------------------------------------------------------------------

  const RANKS = [16, 32, 64, 128];
  const BASELINES = {
    gaussian: "independent normal rows",
    "same spectrum": "random rows of the same spectrum",
    "like-normal": "normal rows of the same mean and covariance",
  };
  // a number of some decimals, a tie to the even one as Python writes it
  const rounded = (x, decimals = 0) => {
    const by = 10 ** decimals;
    const low = Math.floor(x * by);
    return (x * 2 ** (decimals + 1)) % 2 === 1 ? (low + (low % 2)) / by : Number(x.toFixed(decimals));
  };
  const whole = (x) => rounded(x).toLocaleString("en-US");
  const dimensions = (f) => `${f} dimension${f === 1 ? "" : "s"}`;
  const listed = (values) => (values.length === 1 ? `${values[0]}` : `${values.slice(0, -1).join(", ")} and ${values.at(-1)}`);

  // Of ranks { f, peaks, lowest: { baseline: peaks of the lowest draw } } those that are spiky, and the one to speak of.
  function decided(n, ranks) {
    // of those that tie the first in the alphabet
    const nearest = ({ lowest }) => Object.keys(lowest).sort().reduce((a, b) => (lowest[b] < lowest[a] ? b : a));
    const share = (rank) => rank.peaks / n / (rank.lowest[nearest(rank)] / n);
    const held = ranks.filter((rank) => share(rank) <= 0.5);
    const at = held.length ? held[Math.min(1, held.length - 1)] : ranks.at(-1);
    return { held, at, nearest: nearest(at), times: 1 / share(at) };
  }

  // The sentence of a report.
  function verdict(n, ranks, columns) {
    if (!ranks.length) return `Cannot tell: at least ${RANKS[0]} dimensions are needed, and there are ${columns}.`;
    const { held, at, nearest, times } = decided(n, ranks);
    const many = Object.keys(at.lowest).length;
    const captured = `${whole(at.peaks)} direction${at.peaks > 1 ? "s capture" : " captures"} half of ${whole(n)} items at f = ${at.f}`;
    const shown = times >= 10 ? whole(times) : rounded(times, 1).toFixed(1);
    const against = held.length && n > 10000
      ? `all ${many} baselines need more than twice as many`
      : `the nearest of ${many} baselines, ${BASELINES[nearest]}, needs ${shown} times as many`;
    const all = ranks.map(({ f }) => f);
    if (!held.length) return `Not spiky at ${all.length > 1 ? `any of ${listed(all)} dimensions` : dimensions(all[0])}: ${captured}; ${against}.`;
    const only = held.length < all.length ? ` at ${listed(held.map(({ f }) => f))} dimensions` : "";
    return `Spiky${only}: ${captured}; ${against}.`;
  }

  // What a report warns of after its sentence, in its words.
  function cautions({ n, mean, longest, timesMiddle, repeated }) {
    const said = [];
    if (mean - 1 / n >= 0.5 && n >= 20) {
      said.push(`All rows share a mean, which makes up ${rounded(100 * mean)}% of the sum of their squares, as where whole numbers have a zero point or all values are positive. It is one direction, not a spike: subtract it, and report again.`);
    }
    if (timesMiddle > 100) {
      said.push(`The longest row, ${longest}, is ${whole(timesMiddle)} times as long as the middle one: it distorts the axes and the baselines; check it, and report again without it.`);
    }
    if (repeated > 0.1 * n) said.push(`${whole(repeated)} rows repeat another, and a row and its copy have one direction.`);
    return said;
  }

  return {
    BASELINES, RANKS, ZERO, catalogue, cautions, cover, covering, decided, dimensions, embedding, generator, length, matrix, measured, neighbours,
    nullsOf, principal, product, rank, spectrum, verdict, whole,
  };
}

const spiky = spikyModule();
if (typeof module !== "undefined") module.exports = spiky;
