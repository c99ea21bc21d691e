// The playground: a block model of 300 items, what an SVD makes of it, and sliders for all that decides whether it
// has spikes. The numbers come from spiky.js, the turning picture from rays.js.
(() => {
  "use strict";
  const { COLOURS } = rays;
  const MOST = 24; // dimensions
  const RANKS = [1, 2, 3, 4, 5, 6, 8, 12, 16, 24];
  const LISTED = 8; // neighbours
  const two = (x) => x.toFixed(2);
  const { dimensions } = spiky;
  // each slider: label, lowest, highest, step, how its value reads, and what it is
  const SLIDERS = {
    K: ["Communities K", 1, 8, 1, String, "how many groups of items there are"],
    spread: ["Weights of items", 0, 1, 0.05, (x) => `${two(1 - 0.9 * x)} to 1`, "how unequally well linked the items of a community are"],
    within: ["Affinity within", 0, 1, 0.05, two, "how often items of one community occur together"],
    between: ["Affinity between", 0, 1, 0.05, two, "how often items of two communities occur together"],
    noise: ["Noise", 0, 0.5, 0.01, two, "standard deviation of a random number added to each entry of M"],
    f: ["Dimensions f", 1, MOST, 1, String, "how many singular vectors are kept"],
    cos: ["Threshold cos θ", 0.5, 0.99, 0.01, (x) => `${two(x)} (${Math.round((180 * Math.acos(x)) / Math.PI)}°)`, "how narrow a spike has to be"],
    p: ["Exponent p of Σ", 0, 1.5, 0.25, two, "how much more the first dimensions count than the last"],
  };
  const PRESETS = {
    Exact: [{}, "Five communities, no noise, five dimensions. Each community is a ray: all its rows point one way, and the better linked an item, the longer its row. That is a spike. Below, norms rise with weights in a straight line, one for each community."],
    "Equal weights": [{ spread: 0 }, "All items of a community are now linked alike, so that their rows are the same: a ray has shrunk to a point. The direction still says which community it is, and Spk is as low as before, but the length says nothing. It takes communities to make directions, and unequal weights to make rays of them."],
    "Too few dimensions": [{ K: 6, f: 2, noise: 0.02 }, "Six communities in two dimensions must share directions. You see clear rays, yet the verdict is “not spiky”: in two dimensions there are so few directions that the baselines need as few peaks. Raise f to 6 and watch the communities part, below the diagonal of the matrix too."],
    "Too many dimensions": [{ K: 4, f: 24, noise: 0.1, p: 0 }, "Four dimensions carry the communities; the other twenty are noise, and with p = 0 they count as much. Rows that shared a direction no longer do. Lower f to 4, and the rays are back; or raise p, so that small singular values make noise short."],
    Overlapping: [{ between: 0.65 }, "Communities that occur together nearly as often as within themselves lie at a small angle: one peak captures them all. Lower p: at 0 the same communities are at right angles. Or raise cos θ: the one spike is two at 0.97, and five at 0.99."],
    Disassortative: [{ within: 0.05, between: 0.6, p: 0 }, "Items occur with those of all communities but their own: the blocks on the diagonal are the weak ones. There are rays all the same, because a community is a way of being linked to others, whatever that way is. Lower the affinity within to 0 and raise it to 0.6 slowly: where both are equal, communities vanish."],
    "Noise only": [{ within: 0, between: 0, noise: 0.3, f: 8 }, "No communities: a round cloud. Nearly every peak captures itself alone, as in the baselines. Now lower f to 2 or 3: Spk falls, because there are few directions to go round; so it does for the baselines, which is why they are drawn."],
  };
  const START = { K: 5, spread: 1, within: 0.9, between: 0.15, noise: 0, f: 5, cos: 0.9, p: 1 };
  const BASELINES = { gaussian: ["#d55e00", [6, 3]], "same spectrum": ["#029e73", [2, 2]], "like-normal": ["#cc78bc", [8, 3, 2, 3]] };

  const add = (parent, tag, properties = {}) => parent.appendChild(Object.assign(document.createElement(tag), properties));
  const latest = (make) => { // keeps one result, by its key
    let [key, kept] = [];
    return (own, ...rest) => { const now = JSON.stringify(own); if (now !== key) [key, kept] = [now, make(own, ...rest)]; return kept; };
  };

  // What follows from the settings; only what a change touches is computed anew.
  const model = latest(({ K, spread, within, between, noise }) => {
    const { community, degree, M } = spiky.catalogue({ K, spread, within, between, noise, seed: 1 });
    const order = community.map((_, i) => i).sort((i, j) => community[i] - community[j] || degree[j] - degree[i]);
    const names = [];
    order.forEach((i, place) => { names[i] = `${"ABCDEFGH"[community[i]]}${place - community.indexOf(community[i]) + 1}`; });
    const spectrum = spiky.spectrum(M, MOST);
    return { community, degree, M, order, names, spectrum, rank: spiky.rank(spectrum) };
  });
  const embedded = latest(({ p }, { spectrum }) => {
    const E = spiky.embedding(spectrum, MOST, p);
    return { E, drawn: { data: E, ...spiky.nullsOf(E)(0) } };
  });
  const counted = latest(({ f, cos }, { drawn }, most) => {
    const ranks = [...new Set([...RANKS.filter((rank) => rank <= most), f])].sort((a, b) => a - b);
    return { ranks, peaks: Object.fromEntries(Object.entries(drawn).map(([name, rows]) => [name, ranks.map((rank) => spiky.cover(rows, { f: rank, cosTheta: cos }).peaks.length)])) };
  });

  // --- pictures ---------------------------------------------------------------------------------------------

  const pen = (canvas) => {
    const scale = window.devicePixelRatio || 1;
    const [w, h] = [canvas.clientWidth, canvas.clientHeight];
    if (canvas.width !== Math.round(w * scale)) [canvas.width, canvas.height] = [Math.round(w * scale), Math.round(h * scale)];
    const context = canvas.getContext("2d");
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, w, h);
    context.font = "12px system-ui, sans-serif";
    context.fillStyle = context.strokeStyle = getComputedStyle(canvas).color;
    return { context, w, h };
  };

  // Above the diagonal M, below it what f dimensions keep of it; blue is positive, orange negative.
  const square = document.createElement("canvas");
  function drawMatrix(canvas, { M, order, spectrum: { values, vectors } }, f, colourOf) {
    const { context, w } = pen(canvas);
    const { n } = M;
    square.width = square.height = n;
    const dark = document.documentElement.dataset.theme === "dark";
    const [paper, plus, minus] = [dark ? 24 : 255, dark ? [120, 190, 255] : [0, 70, 140], dark ? [255, 170, 60] : [200, 90, 0]];
    const image = new ImageData(n, n);
    const top = M.data.reduce((a, b) => Math.max(a, Math.abs(b)), 1e-9);
    const put = (at, value) => {
      const [share, ink] = [Math.min(1, Math.abs(value) / top) ** 0.6, value < 0 ? minus : plus];
      for (let c = 0; c < 3; c += 1) image.data[4 * at + c] = paper + share * (ink[c] - paper);
      image.data[4 * at + 3] = 255;
    };
    for (let row = 0; row < n; row += 1) {
      for (let column = 0; column < n; column += 1) {
        const [i, j] = [order[row], order[column]];
        let value = M.data[i * n + j];
        if (column < row) {
          value = 0;
          for (let k = 0; k < f; k += 1) value += values[k] * vectors.data[i * MOST + k] * vectors.data[j * MOST + k];
        }
        put(row * n + column, value);
      }
    }
    square.getContext("2d").putImageData(image, 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(square, 8, 0, w - 8, w - 8);
    order.forEach((i, place) => {
      const [from, long] = [(place * (w - 8)) / n, (w - 8) / n + 0.5];
      context.fillStyle = colourOf(i);
      context.fillRect(0, from, 6, long);
      context.fillRect(8 + from, w - 6, long, 6);
    });
  }

  // Axes from 0 to 1 with ticks [place, text]; returns where a point (x, y), both within [0, 1], goes.
  function axes({ context, w, h }, xTicks, yTicks, xTitle, yTitle) {
    const [left, bottom, top, right] = [52, h - 36, 22, w - 8];
    const at = (x, y) => [left + x * (right - left), bottom - y * (bottom - top)];
    context.textAlign = "center";
    for (const [x, text] of xTicks) context.fillText(text, at(x, 0)[0], bottom + 16);
    context.fillText(xTitle, (left + right) / 2, h - 4);
    context.textAlign = "right";
    for (const [y, text] of yTicks) context.fillText(text, left - 6, at(0, y)[1] + 4);
    context.textAlign = "left";
    context.fillText(yTitle, 0, 12);
    context.globalAlpha = 0.5;
    context.strokeRect(left, top, right - left, bottom - top);
    context.globalAlpha = 1;
    return at;
  }

  function drawCounts(canvas, { ranks, peaks }, f, n) {
    const { context, w, h } = pen(canvas);
    const high = (count) => Math.log(count) / Math.log(n / 2);
    const across = (rank) => (rank - 1) / (MOST - 1);
    const ink = context.strokeStyle;
    const at = axes({ context, w, h }, [1, 8, 16, 24].map((rank) => [across(rank), rank]), [1, 3, 10, 30, 150].map((count) => [high(count), `${((100 * count) / n).toPrecision(2)} %`]), "dimensions f", "Spk");
    for (const [name, counts] of Object.entries(peaks)) {
      const [colour, dash] = BASELINES[name] ?? [ink, []];
      context.strokeStyle = context.fillStyle = colour;
      context.setLineDash(dash);
      context.lineWidth = name === "data" ? 2.5 : 1.5;
      context.beginPath();
      ranks.forEach((rank, i) => context.lineTo(...at(across(rank), high(counts[i]))));
      context.stroke();
      context.beginPath();
      context.arc(...at(across(f), high(counts[ranks.indexOf(f)])), 4, 0, 7);
      context.fill();
    }
    context.setLineDash([]);
  }

  function drawNorms(canvas, degree, norm, colourOf) {
    const { context, w, h } = pen(canvas);
    const top = Math.max(...norm) || 1;
    const at = axes({ context, w, h }, [0, 0.5, 1].map((x) => [x, x]), [0, 0.5, 1].map((y) => [y, (y * top).toPrecision(2)]), "weight of the item", "norm of its row");
    norm.forEach((length, i) => {
      context.fillStyle = colourOf(i);
      context.beginPath();
      context.arc(...at(degree[i], length / top), 2, 0, 7);
      context.fill();
    });
  }

  // --- the page ---------------------------------------------------------------------------------------------

  function playground(box, number) {
    const settings = { ...START };
    let item = 12;
    const id = (name) => `play-${number}-${name}`;
    box.classList.add("live");
    const live = add(box, "div", { className: "play-live" });

    const presets = add(live, "div", { className: "play-presets", role: "group", ariaLabel: "Presets" });
    const story = add(live, "p", { className: "play-story" });
    const controls = add(live, "div", { className: "play-sliders" });
    const verdict = add(live, "p", { className: "play-verdict" });
    const spoken = add(live, "p", { className: "play-spoken" });
    spoken.setAttribute("aria-live", "polite");
    const grid = add(live, "div", { className: "play-grid" });
    const figure = (tag, caption, className = "") => {
      const box = add(grid, "figure", { className });
      const shown = add(box, tag);
      add(box, "figcaption", { textContent: caption });
      return shown;
    };
    const matrix = figure("canvas", "Above the diagonal M, by community and weight; below it M̂, what f dimensions keep of it. Blue: positive, orange: negative.", "play-square");
    const frame = figure("div", "Rows of E = UΣᵖ in three of the f dimensions. A colour is a spike of three items or more. Drag, or use the arrow keys.");
    frame.className = "rays";
    const counts = figure("canvas", "Spk: peaks that capture half of the items, as a share of all. Solid: the data. A draw of each baseline: normal rows (dashed), same spectrum (dotted), same mean and covariance (dash-dotted).");
    const norms = figure("canvas", "Length of each row by the weight that its item was given.");
    for (const canvas of [matrix, counts, norms]) canvas.setAttribute("role", "img");
    const near = add(grid, "div", { className: "play-near" });

    const schedule = () => { if (!waiting) waiting = requestAnimationFrame(draw); };
    let waiting = 0;
    let from = Object.keys(PRESETS)[0];
    const tell = () => { // the words of the preset, or what was moved since
      const start = { ...START, ...PRESETS[from][0] };
      const moved = Object.entries(SLIDERS).filter(([name]) => settings[name] !== start[name]);
      const said = moved.map(([name, [label, , , , reads]]) => `${label}: ${reads(settings[name])}`);
      story.textContent = moved.length ? `Moved from “${from}”. ${said.join("; ")}.` : PRESETS[from][1];
      for (const button of presets.children) button.setAttribute("aria-pressed", String(!moved.length && button.textContent === from));
    };
    const inputs = {};
    const slider = (parent, name, [label, min, max, step, , what], value, changed) => {
      const row = add(parent, "label", { title: what });
      add(row, "span", { textContent: label });
      const input = add(row, "input", { type: "range", min, max, step, value, id: id(name) });
      const shown = add(row, "span");
      input.addEventListener("input", () => changed(Number(input.value)));
      return { input, shown };
    };
    for (const [name, entry] of Object.entries(SLIDERS)) {
      inputs[name] = slider(controls, name, entry, settings[name], (value) => {
        settings[name] = value;
        tell();
        schedule();
      });
    }
    const chosen = slider(near, "item", ["Neighbours of the item", 1, 300, 1, , "whose neighbours are listed"], item + 1, (value) => { item = value - 1; schedule(); });
    const lists = add(near, "table");
    const head = add(add(lists, "thead"), "tr");
    for (const textContent of ["by cosine", "by dot product"]) add(head, "th", { textContent, scope: "col" });
    const body = add(lists, "tbody");
    const cells = Array.from({ length: LISTED }, () => { const row = add(body, "tr"); return [add(row, "td"), add(row, "td")]; });
    add(near, "p", { className: "play-note", textContent: "A1 is the best linked item of community A; its weight is in brackets. The cosine compares directions, and so communities; where it ties, the order means nothing. The dot product puts long rows first." });

    for (const [name, [changed]] of Object.entries(PRESETS)) {
      const button = add(presets, "button", { type: "button", textContent: name });
      button.addEventListener("click", () => {
        Object.assign(settings, START, changed);
        from = name;
        tell();
        schedule();
      });
    }
    const link = add(add(live, "p", { className: "play-note" }), "a", { textContent: "A link to these settings" });

    let [view, before, speaking] = [null, null, 0];
    function draw() {
      waiting = 0;
      const { K, spread, within, between, noise, cos, p } = settings;
      for (const [name, { input, shown }] of Object.entries(inputs)) {
        input.value = settings[name];
        shown.textContent = SLIDERS[name][4](settings[name]);
        input.setAttribute("aria-valuetext", shown.textContent);
      }
      // the theme takes what follows # for a selector of CSS, so that it has to be one: 0_5 is 0.5
      link.href = `#play-${Object.entries({ ...settings, item: item + 1 }).flat().join("-").replaceAll(".", "_")}`;
      const made = model({ K, spread, within, between, noise });
      const { community, degree, names, rank, spectrum: { vectors } } = made;
      const n = names.length;
      grid.style.visibility = rank ? "" : "hidden";
      box.dataset.ready = "yes";
      if (!rank) {
        verdict.textContent = "M is zero: no item is linked with another, and no row has a direction. Raise an affinity or the noise.";
        say("");
        return;
      }
      const f = Math.min(settings.f, rank); // what is beyond belongs to the eigenvalue zero, and is arbitrary
      keepSigns(before, vectors);
      before = vectors;
      const { E, drawn } = embedded({ p, made: [K, spread, within, between, noise] }, made);
      const found = counted({ f, cos, p, made: [K, spread, within, between, noise] }, { drawn }, rank);
      const cover = spiky.cover(E, { f, cosTheta: cos, rho: 1 });
      const size = new Map();
      for (const k of cover.spike) size.set(k, (size.get(k) ?? 0) + 1);
      const spike = Array.from(cover.spike, (k) => (k >= 0 && size.get(k) >= 3 ? k : -1));
      const grey = getComputedStyle(box).getPropertyValue("--grey");
      const colours = cover.peaks.map((i) => COLOURS[community[i]]);
      const colourOf = (i) => (spike[i] < 0 ? grey : colours[spike[i]]);
      const norm = Array.from({ length: n }, (_, i) => Math.hypot(...E.data.subarray(i * MOST, i * MOST + f)));
      const top = Math.max(...norm) || 1;

      drawMatrix(matrix, made, f, colourOf);
      const points = names.map((_, i) => Array.from({ length: 6 }, (__, k) => (k < f ? E.data[i * MOST + k] / top : 0)));
      const seen = { points, spike, names, peaks: cover.peaks.map((i) => names[i]), colours };
      if (view) view.update(seen);
      else view = rays(frame, seen);
      drawCounts(counts, found, f, n);
      drawNorms(norms, degree, norm, colourOf);
      const of = Object.fromEntries(["cosine", "dot"].map((similarity) => [similarity, spiky.neighbours(E, item, LISTED, similarity, f)]));
      cells.forEach((row, i) => ["cosine", "dot"].forEach((similarity, c) => {
        const other = of[similarity][i];
        row[c].textContent = `${names[other]} (${two(degree[other])})`;
        row[c].style.borderLeftColor = COLOURS[community[other]];
      }));

      const at = found.ranks.indexOf(f);
      const lowest = Object.fromEntries(Object.keys(spiky.BASELINES).map((name) => [name, found.peaks[name][at]]));
      const peaks = found.peaks.data[at];
      const fewer = f < settings.f ? ` M has rank ${f}: there ${f === 1 ? "is no further dimension" : "are no further dimensions"} to keep.` : "";
      verdict.textContent = spiky.verdict(n, [{ f, peaks, lowest }], MOST) + fewer;
      chosen.shown.textContent = `${names[item]} (${two(degree[item])})`;
      chosen.input.setAttribute("aria-valuetext", `${names[item]}, of weight ${two(degree[item])}`);
      matrix.setAttribute("aria-label", `Matrix of ${n} items in ${K} communities, and its approximation in ${dimensions(f)}`);
      frame.firstChild.setAttribute("aria-label", `Rows of ${n} items around the origin: ${new Set(spike.filter((k) => k >= 0)).size} spikes of three items or more contain ${spike.filter((k) => k >= 0).length} of them`);
      counts.setAttribute("aria-label", `Spk at ${dimensions(f)}: ${two((100 * peaks) / n)} %; baselines: ${Object.entries(lowest).map(([name, count]) => `${spiky.BASELINES[name]} ${two((100 * count) / n)} %`).join(", ")}`);
      norms.setAttribute("aria-label", `Norms from ${two(Math.min(...norm))} to ${two(top)} over weights from ${two(Math.min(...degree))} to ${two(Math.max(...degree))}`);
      say(` Nearest to ${names[item]} by cosine: ${names[of.cosine[0]]}; by dot product: ${names[of.dot[0]]}.`);
    }
    function say(nearest) {
      clearTimeout(speaking); // a reader hears where a slider came to rest, not each step
      speaking = setTimeout(() => { spoken.textContent = `${story.textContent} ${verdict.textContent}${nearest}`; }, 700);
    }

    const follow = () => {
      const [play, ...named] = location.hash.replaceAll("_", ".").split("-");
      if (play !== "#play") return;
      for (const [name, { input }] of Object.entries({ ...inputs, item: chosen })) {
        const value = Number(named[named.indexOf(name) + 1]);
        if (Number.isFinite(value)) input.value = value; // which a range brings to its steps and ends
        if (name === "item") item = Number(input.value) - 1;
        else settings[name] = Number(input.value);
      }
      tell();
      box.scrollIntoView();
      schedule();
    };
    window.addEventListener("hashchange", follow);
    new ResizeObserver(schedule).observe(grid);
    new MutationObserver(schedule).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    presets.firstChild.click();
    follow();
  }

  // An eigenvector and its negative serve as well: the one nearer to that of the last picture turns less.
  function keepSigns(before, vectors) {
    if (!before || before === vectors) return;
    for (let k = 0; k < MOST; k += 1) {
      let sum = 0;
      for (let at = k; at < vectors.data.length; at += MOST) sum += before.data[at] * vectors.data[at];
      if (sum < 0) for (let at = k; at < vectors.data.length; at += MOST) vectors.data[at] *= -1;
    }
  }

  document.querySelectorAll(".spiky-play").forEach(playground);
})();
