// What pages do in the browser. Behaviour hangs on data attributes, so that no page holds a script of its own:
//   data-opens=ID, data-closes     a dialog            data-removes=SELECTOR  takes away what stands around it
//   data-copies                    copies the code box  data-once              a form is sent once
//   data-autosubmit                a filter form goes off when changed         data-relative  "2 minutes ago" stays true
//   data-chart, data-library       draws a chart        data-progress=URL      follows a long task
//   data-bell="SERVICES"           counts what ended
//   data-figures=URL, data-figure  follows the figures, fetches the card of one that moved
//   data-merges=N                  the lines that several services bring, oldest first, at most N
//   data-label on an htmx element  what failed, when it fails; data-quiet: it fails without a word
"use strict";

(() => {
  const words = JSON.parse(document.getElementById("words").textContent);
  const root = document.documentElement;
  const language = root.lang === "en" ? "en-US" : "es-MX";
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const count = new Intl.NumberFormat(language);
  root.classList.add("scripted");

  // ---- toasts
  function say(text, tone = "good") {
    const toast = document.createElement("div");
    toast.className = `toast ${tone}`;
    toast.textContent = text;
    document.getElementById("toasts").append(toast);
    fade(toast);
  }
  const fade = (toast) => setTimeout(() => toast.remove(), 8000);
  document.body.addEventListener("toast", (event) => say(event.detail.value ?? event.detail.text, event.detail.tone));

  // ---- dialogs, menus, small clicks
  function open(dialog) {
    if (!dialog || dialog.open) return;
    all("details.menu[open]").forEach((menu) => { menu.open = false; });
    dialog.showModal();
    dialog.querySelector("input:not([type=hidden])")?.select();
  }
  document.addEventListener("click", (event) => {
    const { target } = event;
    const closest = (selector) => target.closest?.(selector);
    all("details.menu[open]").forEach((menu) => { if (!menu.contains(target)) menu.open = false; });
    const opens = closest("[data-opens]");
    if (opens) open(document.getElementById(opens.dataset.opens));
    if (closest("[data-closes]") || target.matches?.("dialog")) target.closest("dialog").close();
    const removes = closest("[data-removes]");
    if (removes) removes.closest(removes.dataset.removes).remove();
    const copies = closest("[data-copies]");
    if (copies) copy(copies);
    if (closest("[data-theme-switch]")) changeTheme();
    const again = closest("[data-again]");
    if (again) htmx.trigger(again.closest(".lazy"), "again");
  });
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      const search = document.getElementById("search");
      if (search) { event.preventDefault(); open(search); }
    }
    if (event.key === "Escape") {
      all("details.menu[open]").forEach((menu) => { menu.open = false; menu.querySelector("summary").focus(); });
    }
    if (event.key === "ArrowDown" || event.key === "ArrowUp") moveAmongFound(event);
  });
  function moveAmongFound(event) {
    const search = event.target.closest?.("dialog.search");
    if (!search) return;
    const places = [search.querySelector("input[type=search]"), ...all("#found a", search)];
    const next = places[places.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1)];
    if (next) { event.preventDefault(); next.focus(); }
  }
  async function copy(button) {
    const code = button.closest(".code-box").querySelector("code");
    try {
      await navigator.clipboard.writeText(code.textContent);
      say(words.copied);
    } catch {
      getSelection().selectAllChildren(code); // no right to the clipboard: it is at least marked
    }
  }

  // ---- light and dark
  function changeTheme() {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    document.cookie = `cumulo_theme=${root.dataset.theme}; path=/; max-age=31536000; samesite=lax`;
    drawCharts();
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawCharts());

  // ---- forms: sent once, filters at once
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.matches("[data-autosubmit]")) {
      all("input", form).forEach((input) => { if (!input.value) input.disabled = true; });
    }
    if (!form.matches("[data-once], [method=post]") || event.defaultPrevented) return;
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "yes";
    all("button", form).forEach((button) => button.setAttribute("aria-busy", "true"));
  });
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    all("form[data-sent]").forEach((form) => {
      delete form.dataset.sent;
      all("[aria-busy]", form).forEach((button) => button.removeAttribute("aria-busy"));
    });
    all("[data-autosubmit] :disabled").forEach((input) => { input.disabled = false; });
  });
  document.body.addEventListener("htmx:afterRequest", (event) => { delete event.target.dataset?.sent; });
  document.addEventListener("change", (event) => event.target.closest("[data-autosubmit]")?.requestSubmit());

  // ---- fragments that fail alone
  function failed(event) {
    const place = event.detail.elt;
    if (place.closest("[data-quiet]")) return;
    const ended = event.detail.xhr?.status === 401;
    const text = ended ? words.ended : words.failed.replace("{what}", place.dataset.label ?? "Cumulo");
    if (!place.matches(".lazy")) { say(text, "bad"); return; }
    place.removeAttribute("aria-busy");
    place.innerHTML = '<div class="banner warn" role="status"><div><span></span> <button class="button small" type="button" data-again></button></div></div>';
    place.querySelector("span").textContent = text;
    place.querySelector("button").textContent = ended ? words.enter : words.retry;
    if (ended) place.querySelector("button").onclick = () => location.assign(`/?next=${encodeURIComponent(location.pathname + location.search)}`);
  }
  for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) document.body.addEventListener(name, failed);
  document.body.addEventListener("htmx:afterSwap", (event) => event.detail.target.removeAttribute("aria-busy"));
  for (const [name, off] of [["htmx:sseOpen", false], ["htmx:sseError", true], ["htmx:sseClose", true]]) {
    document.body.addEventListener(name, (event) => all("[data-live]", event.target).forEach((dot) => dot.classList.toggle("off", off)));
  }

  // ---- lines of several services in one list
  function merge(block) {
    const list = block.querySelector("[data-merged]");
    list.append(...all(".lazy li", block));
    const lines = [...list.children].sort((one, other) => one.dataset.since.localeCompare(other.dataset.since));
    list.replaceChildren(...lines.slice(0, Number(block.dataset.merges)));
    block.querySelector("[data-nothing]").hidden = lines.length > 0 || all(".lazy[aria-busy], .lazy.failed", block).length > 0;
  }
  document.body.addEventListener("htmx:afterSwap", (event) => {
    const block = event.detail.target.closest("[data-merges]");
    if (block) merge(block);
  });

  // ---- times that stay true
  const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
  const steps = [[86400 * 365, "year"], [86400 * 30, "month"], [86400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]];
  function tellTimes() {
    for (const time of all("time[data-relative]")) {
      const seconds = (new Date(time.dateTime) - Date.now()) / 1000;
      const [size, unit] = steps.find(([length]) => Math.abs(seconds) >= length) ?? [1, "second"];
      time.textContent = relative.format(Math.trunc(seconds / size), unit);
    }
  }
  setInterval(tellTimes, 30000);

  // ---- long tasks
  const lasting = (seconds) => {
    const [size, unit] = seconds >= 5400 ? [3600, "hour"] : seconds >= 90 ? [60, "minute"] : [1, "second"];
    return new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "long" }).format(Math.ceil(seconds / size));
  };
  function follow(section, pause = 1000) {
    const note = section.querySelector("[data-note]");
    const source = new EventSource(section.dataset.progress);
    const moved = (event) => {
      const now = JSON.parse(event.data);
      pause = 1000;
      section.querySelector("[data-done]").textContent = count.format(now.done);
      section.querySelector("[data-total]").textContent = now.total == null ? "?" : count.format(now.total);
      if (now.total != null) Object.assign(section.querySelector("progress"), { max: now.total || 1, value: now.done });
      section.dataset.state = now.state;
      note.textContent = now.seconds_left == null ? "" : words.left.replace("{time}", lasting(now.seconds_left));
      if (now.state === "running" || now.state === "lost") return;
      source.close();
      note.textContent = now.state === "done" ? words.done : words.stopped;
      if (now.state === "done" && section.dataset.next) location.assign(section.dataset.next);
      else if (section.dataset.afterwards) location.assign(section.dataset.afterwards);
    };
    for (const name of ["task", "end"]) source.addEventListener(name, moved);
    source.onerror = () => {
      note.textContent = words.waiting;
      if (source.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
      source.close();
      if (section.isConnected) setTimeout(() => follow(section, Math.min(pause * 2, 30000)), pause);
    };
  }

  // ---- the bell: notices that are new, and what ended since one last looked, of all services together
  async function ring(bell) {
    const counts = await Promise.all(bell.dataset.bell.split(" ").map(async (service) => {
      try {
        const answer = await fetch(`/${service}/tasks?unseen=true&limit=100`, { headers: { Accept: "application/json" } });
        return answer.ok ? (await answer.json()).tasks.length : 0;
      } catch {
        return 0; // a service that does not answer is told where its own things are
      }
    }));
    let notices = 0;
    try {
      const answer = await fetch("/notifications/inbox/unread", { headers: { Accept: "application/json" } });
      notices = answer.ok ? (await answer.json()).count : 0;
    } catch { /* told on the page of notices */ }
    bell.href = notices ? "/inbox" : "/tasks";
    const sum = counts.reduce((all_, one) => all_ + one, notices);
    const place = bell.querySelector("[data-count]");
    place.className = sum ? "count" : "";
    place.textContent = sum > 99 ? "99+" : sum || "";
    bell.title = notices ? words.notices.replace("{count}", count.format(notices)) : sum ? words.news.replace("{count}", count.format(sum)) : words.tasks;
    bell.setAttribute("aria-label", bell.title);
  }
  const bell = document.querySelector("[data-bell]");
  if (bell) {
    ring(bell);
    setInterval(() => { if (!document.hidden) ring(bell); }, 60000);
  }

  // ---- figures that move: each card fetches itself anew, the dot says how far behind the page is
  function watch(block) {
    const source = new EventSource(block.dataset.figures);
    const dot = document.querySelector("[data-live]");
    const told = (text, off) => { if (dot) { dot.classList.toggle("off", off); dot.querySelector("span").textContent = text; } };
    source.addEventListener("snapshot", () => told(words.live.replace("{time}", count.format(0)), false));
    source.addEventListener("figure", (event) => {
      const moved = JSON.parse(event.data);
      const behind = Math.max(0, (Date.now() - new Date(moved.time)) / 1000);
      told(words.live.replace("{time}", count.format(Math.round(behind * 10) / 10)), false);
      const card = block.querySelector(`[data-figure="${moved.indicator}"]`);
      if (!card) return;
      htmx.trigger(card, "moved");
      const tour = document.querySelector("[data-tour-figure]:not(.done)");
      if (tour) {
        tour.classList.add("done");
        const kept = document.cookie.match(/(?:^|; )cumulo_tour=([^;]*)/)?.[1] ?? "";
        document.cookie = `cumulo_tour=${[...new Set([...kept.split(".").filter(Boolean), "figure"])].join(".")}; path=/; max-age=2592000; samesite=lax`;
      }
    });
    source.onerror = () => told(words.offline, true);
  }
  all("[data-figures]").forEach(watch);

  // ---- charts
  const colour = (name) => {
    const probe = document.createElement("i");
    document.body.append(probe);
    probe.style.color = `var(--${name})`;
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  };
  let library;
  const load = (address) => (library ??= new Promise((resolve, reject) => {
    document.head.append(Object.assign(document.createElement("script"), { src: address, onload: resolve, onerror: reject }));
  }));
  async function draw(place) {
    await load(place.dataset.library);
    const { kind, categories, series, unit } = JSON.parse(document.getElementById(place.dataset.chart).textContent);
    const [soft, line] = ["soft", "line"].map(colour);
    const few = categories.length <= 8;
    const wide = Math.max(...categories.map((category) => category.length)) * 7 > place.clientWidth / categories.length - 16;
    const told = (value) => (value == null ? "–" : count.format(value) + (unit ? ` ${unit}` : ""));
    const chart = echarts.getInstanceByDom(place) ?? echarts.init(place, null, { renderer: "canvas" });
    chart.setOption({
      animation: !matchMedia("(prefers-reduced-motion: reduce)").matches, animationDuration: 400,
      color: ["c1", "c2", "c3", "c4", "c5", "c6"].map(colour),
      textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: soft },
      grid: { left: 4, right: 12, top: 14, bottom: 4, containLabel: true },
      xAxis: { type: "category", data: categories, boundaryGap: kind !== "line", axisLine: { lineStyle: { color: line } }, axisTick: { show: false }, axisLabel: { color: soft, ...(few ? { interval: 0, rotate: wide ? 32 : 0 } : { hideOverlap: true }) } },
      yAxis: { type: "value", splitLine: { lineStyle: { color: line } }, axisLabel: { color: soft, formatter: (value) => count.format(value) } },
      series: series.map(({ name, values }) => ({
        name, data: values, type: kind === "line" ? "line" : "bar", stack: kind === "stacked" ? "one" : undefined,
        barMaxWidth: 34, symbolSize: 6, lineStyle: { width: 2.5 }, itemStyle: { borderRadius: kind === "bar" ? [4, 4, 0, 0] : 0 },
      })),
    }, true);
    if (!place.dataset.watched) {
      place.dataset.watched = "yes";
      new ResizeObserver(() => chart.resize()).observe(place);
      // the value under the pointer is told above the drawing: a tooltip would need styles that the page's policy forbids
      const reading = place.closest(".chart").querySelector("[data-reading]");
      chart.getZr().on("mousemove", ({ offsetX, offsetY }) => {
        const [at] = chart.convertFromPixel({ gridIndex: 0 }, [offsetX, offsetY]);
        reading.hidden = categories[at] === undefined;
        reading.textContent = `${categories[at]}: ${series.map(({ values }) => told(values[at])).join(" · ")}`;
      });
      chart.getZr().on("globalout", () => { reading.hidden = true; });
    }
  }
  const drawCharts = (within = document) => all("[data-chart]", within).forEach((place) => draw(place).catch(() => {
    place.closest(".chart").querySelector(".behind").open = true; // without the drawing, the table
  }));

  // ---- for the page and for every fragment that arrives
  function ready(within) {
    drawCharts(within);
    all("[data-progress]", within).forEach((section) => { if (!section.dataset.followed) { section.dataset.followed = "yes"; follow(section); } });
    within.querySelector?.("[data-focus]")?.focus();
    tellTimes();
  }
  if (matchMedia("(max-width: 860px)").matches) all("details[data-open-wide]").forEach((part) => { part.open = false; });
  all(".toast").forEach(fade);
  ready(document);
  document.body.addEventListener("htmx:load", (event) => { if (event.detail.elt !== document.body) ready(event.detail.elt); });
})();
