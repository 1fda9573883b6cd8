"use strict";
(() => {
  const root = document.documentElement;
  root.classList.remove("no-js");
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const drawings = read("drawings");
  const palettes = read("palettes");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const coarse = matchMedia("(pointer: coarse)");
  const printed = matchMedia("print");
  const PAPER_PX = 660;
  const NARROW_PX = 560;
  const drawn = new Map();
  let onPaper = false;
  let shown = null;
  let following = false;

  const place = (key) => document.getElementById(key + "-plot");
  const colours = () => (dark.matches && !onPaper ? palettes.dark : palettes.light);

  // A colour in a drawing, or in the text of a label, is "@" and its name in the palette.
  const resolved = (value, palette) => {
    if (typeof value === "string") {
      if (value[0] === "@" && value.slice(1) in palette) return palette[value.slice(1)];
      return value.replace(/color:@([a-z0-9-]+)/g, (all, name) => "color:" + (palette[name] || "inherit"));
    }
    if (Array.isArray(value)) return value.map((one) => resolved(one, palette));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, resolved(v, palette)]));
    }
    return value;
  };

  // The colours of a heat map are the logarithm of its counts, so that one slow signal is visible.
  const withHeat = (trace, palette, narrow) => {
    if (!trace.counts) return trace;
    const counts = trace.counts;
    const most = counts.reduce((a, row) => row.reduce((b, c) => Math.max(b, c), a), 1);
    const ticks = [];
    for (let n = 1; n <= most; n *= 10) ticks.push(n);
    return {
      ...trace,
      counts: undefined,
      z: counts.map((row) => row.map((n) => (n ? Math.log10(n) : null))),
      customdata: counts,
      zmin: 0,
      zmax: Math.max(Math.log10(most), 0.3),
      hoverongaps: false,
      colorbar: {
        ...trace.colorbar, thickness: 10, outlinewidth: 0, tickvals: ticks.map(Math.log10),
        ticktext: ticks.map((n) => n.toLocaleString("en")), orientation: "h",
        len: narrow ? 0.5 : 0.25, x: 1, xanchor: "right", y: 1.02, yanchor: "bottom", ypad: 0,
      },
    };
  };

  const axisStyle = (axis, palette, size) => ({
    gridcolor: palette.grid, linecolor: palette.rule, zerolinecolor: palette.rule,
    tickfont: { color: palette.muted, size }, ticks: "", tickangle: 0, automargin: true, fixedrange: true,
    ...axis,
    title: { standoff: 8, ...axis.title, font: { color: palette.muted, size } },
  });

  const layoutOf = (drawing, palette, width) => {
    const narrow = width < NARROW_PX;
    const size = narrow ? 11 : 12;
    const own = resolved(drawing.layout, palette);
    const layout = {
      ...own,
      width, height: drawing.height,
      font: { family: getComputedStyle(document.body).fontFamily, size, color: palette.ink },
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      margin: { l: drawing.onTime ? 66 : 12, r: narrow ? 14 : 24, t: 48, b: 48, ...own.margin },
      legend: { orientation: "h", x: 0, y: 1.03, yanchor: "bottom", font: { size }, itemsizing: "constant" },
      hoverlabel: { bgcolor: palette.card, bordercolor: palette.muted, font: { color: palette.ink, size }, align: "left", namelength: -1 },
      hoverdistance: 40,
      dragmode: coarse.matches ? false : "zoom",
    };
    for (const key of Object.keys(own)) {
      if (/^[xy]axis\d*$/.test(key)) layout[key] = axisStyle(own[key], palette, size);
    }
    const ticks = layout.xaxis.tickvals;
    if (narrow && ticks && ticks.length > 3) {
      layout.xaxis.tickvals = ticks.filter((_, n) => n % 2 === (ticks.length + 1) % 2);
      layout.xaxis.ticktext = layout.xaxis.ticktext.filter((_, n) => n % 2 === (ticks.length + 1) % 2);
    }
    if (drawing.onTime) {
      // Equal margins, so that a time has the same x position in all charts.
      for (const key of Object.keys(own)) if (/^yaxis\d*$/.test(key)) layout[key].automargin = false;
      layout.xaxis.fixedrange = coarse.matches;
      if (shown) layout.xaxis.range = shown.slice();
    }
    return layout;
  };

  // A drawing has no keyboard focus and is hidden from screen readers; its message and table are not.
  const config = { displayModeBar: false, scrollZoom: false, doubleClick: false, showTips: false };

  const paint = (drawing) => {
    const box = place(drawing.key);
    const palette = colours();
    const width = onPaper ? PAPER_PX : box.clientWidth;
    if (!width) return Promise.resolve();
    const narrow = width < NARROW_PX;
    const traces = resolved(drawing.data, palette).map((t) => withHeat(t, palette, narrow));
    const first = !drawn.has(drawing.key);
    drawn.set(drawing.key, width);
    return Plotly.react(box, traces, layoutOf(drawing, palette, width), config).then(() => {
      box.dataset.drawn = "yes";
      for (const inside of box.children) inside.setAttribute("aria-hidden", "true");
      if (first) follow(drawing, box);
    });
  };

  const onTime = () => drawings.filter((d) => d.onTime && drawn.has(d.key));

  const show = (range) => {
    if (following) return Promise.resolve();
    following = true;
    shown = range;
    const fields = document.querySelector("form.range").elements;
    const whole = drawings.find((d) => d.onTime).layout.xaxis.range;
    const now = range || whole;
    fields.from.value = String(Math.round(now[0] * 100) / 100);
    fields.to.value = String(Math.round(now[1] * 100) / 100);
    return Promise.all(onTime().map((d) => Plotly.relayout(place(d.key), { "xaxis.range": now.slice() })))
      .finally(() => { following = false; });
  };

  // A zoom or a hover in one chart over time applies to all of them.
  const follow = (drawing, box) => {
    if (!drawing.onTime) return;
    const cursor = document.createElement("div");
    cursor.className = "cursor";
    box.append(cursor);
    box.on("plotly_relayout", (change) => {
      if ("xaxis.range[0]" in change) show([change["xaxis.range[0]"], change["xaxis.range[1]"]]);
    });
    box.on("plotly_doubleclick", () => show(null));
    box.on("plotly_hover", (event) => point(event.points[0].x));
    box.on("plotly_unhover", () => point(null));
  };

  const point = (x) => {
    for (const d of onTime()) {
      const box = place(d.key);
      const cursor = box.querySelector(".cursor");
      if (!cursor) continue;
      const axis = box._fullLayout.xaxis;
      const at = x === null ? -1 : axis.d2p(x);
      cursor.style.display = at >= 0 && at <= axis._length ? "block" : "none";
      cursor.style.left = axis._offset + at + "px";
    }
  };

  const paintAll = () => Promise.all(drawings.filter((d) => drawn.has(d.key) || onPaper).map(paint));

  // Drawn one after another, so that the page stays responsive.
  const nextTask = () => new Promise((go) => setTimeout(go, 0));
  const paintInOrder = async () => {
    for (const drawing of drawings) {
      if (!place(drawing.key).closest("details:not([open])")) {
        await paint(drawing);
        await nextTask();
      }
    }
    root.dataset.drawn = "yes";
  };

  const paper = (is) => {
    if (is === onPaper) return;
    onPaper = is;
    paintAll();
  };

  const listen = () => {
    dark.addEventListener("change", paintAll);
    printed.addEventListener("change", (event) => paper(event.matches));
    addEventListener("beforeprint", () => paper(true));
    addEventListener("afterprint", () => paper(false));
    let waiting = 0;
    addEventListener("resize", () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => {
        if (onPaper) return;
        for (const d of drawings) {
          if (drawn.has(d.key) && drawn.get(d.key) !== place(d.key).clientWidth) paint(d);
        }
      }, 150);
    });
    for (const details of document.querySelectorAll("details.further")) {
      details.addEventListener("toggle", () => {
        for (const d of drawings) {
          if (!drawn.has(d.key) && details.contains(place(d.key))) paint(d);
        }
      });
    }
    const form = document.querySelector("form.range");
    if (!form || !drawings.some((d) => d.onTime)) return;
    form.hidden = false;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const from = Number(form.elements.from.value);
      const to = Number(form.elements.to.value);
      if (to > from) show([from, to]);
    });
    form.addEventListener("reset", (event) => {
      event.preventDefault();
      show(null);
    });
    show(null);
  };

  const unpack = async () => {
    const packed = atob(document.getElementById("plotly").textContent.trim());
    const bytes = Uint8Array.from(packed, (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const script = document.createElement("script");
    script.textContent = await new Response(stream).text();
    document.head.append(script);
  };

  unpack().then(() => { listen(); return paintInOrder(); }).catch((error) => {
    const note = document.getElementById("script-error");
    note.textContent = "The charts could not be drawn (" + error.message + "). The tables have the same figures.";
    note.hidden = false;
    root.classList.add("no-js");
  });
})();
