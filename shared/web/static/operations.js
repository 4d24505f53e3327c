// The live way of each fact on Operación: asks each service every two seconds what it recorded and what it received,
// and puts the answers together by the id of the fact. A service that does not answer is told in its column only.
"use strict";

(() => {
  const table = document.querySelector("[data-lane]");
  if (!table) return;
  const services = table.dataset.lane.split(" ");
  const words = JSON.parse(table.dataset.words);
  const body = table.tBodies[0];
  const dot = document.querySelector("[data-lane-live]");
  const empty = document.querySelector("[data-lane-empty]");
  const language = document.documentElement.lang === "en" ? "en-US" : "es-MX";
  const count = new Intl.NumberFormat(language);
  const clock = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
  const SHOWN = 15;
  const EVERY = 2000;
  const UUID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;
  const SETTLED = 60000; // what nobody has received by then is asked for now and then only
  const facts = new Map(); // id -> the fact, with what each service did: service -> [receipts]
  const last = new Map(); // service -> the last sequence seen
  const listens = new Map(); // service -> set of types
  const silent = new Set();
  let turn = 0;

  async function ask(service, path) {
    const answer = await fetch(`/${service}/operations${path}`, { headers: { Accept: "application/json" }, signal: AbortSignal.timeout(5000) });
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.json();
  }
  const all = (work) => Promise.all(services.map(async (service) => {
    try {
      await work(service);
      silent.delete(service);
    } catch {
      silent.add(service);
    }
  }));
  const lacks = (fact) => services.some((service) => {
    const types = listens.get(service);
    return !types || (types.has(fact.type) && !fact.by.has(service));
  }) || [...fact.by.values()].flat().some((receipt) => receipt.parked);

  async function look() {
    await all(async (service) => {
      const page = await ask(service, `/lane?limit=${SHOWN}&after=${last.get(service) ?? 0}`);
      last.set(service, page.last);
      for (const fact of page.facts) {
        const known = facts.get(fact.id);
        if (known) Object.assign(known, fact);
        else facts.set(fact.id, { ...fact, owner: service, by: new Map() });
      }
    });
    const newest = [...facts.values()].sort((a, b) => (a.recorded < b.recorded ? 1 : -1));
    for (const gone of newest.slice(SHOWN)) facts.delete(gone.id);
    const now = Date.now();
    const open = newest.slice(0, SHOWN).filter((fact) => fact.published && lacks(fact)
      && (now - Date.parse(fact.recorded) < SETTLED || turn % 10 === 0));
    if (open.length) {
      const ids = open.map((fact) => `id=${fact.id}`).join("&");
      await all(async (service) => {
        const page = await ask(service, `/received?${ids}`);
        listens.set(service, new Set(page.types));
        for (const fact of open) {
          const own = page.receipts.filter((receipt) => receipt.id === fact.id);
          if (own.length) fact.by.set(service, own);
        }
      });
    }
    turn += 1;
    show(newest.slice(0, SHOWN));
  }

  const part = (name, text, kind = "") => {
    const made = document.createElement(name);
    if (text != null) made.textContent = text;
    if (kind) made.className = kind;
    return made;
  };
  const after = (fact, at) => `${count.format(Math.max(0, Date.parse(at) - Date.parse(fact.recorded)))} ms`;
  const placeOf = (fact) => [...fact.by.values()].flat().find((receipt) => receipt.partition != null && receipt.partition >= 0);

  function cell(fact, service) {
    const made = part("td");
    made.dataset.label = table.querySelector(`[data-service="${service}"]`).textContent;
    const box = part("div");
    made.append(box);
    const types = listens.get(service);
    const receipts = fact.by.get(service);
    if (receipts) {
      for (const receipt of receipts) {
        if (receipt.parked) {
          const link = part("a", words.parked, "chip bad");
          link.href = `/${service}/pages/parked/${receipt.parked}`;
          box.append(link);
        } else if (receipt.dropped) {
          box.append(part("span", words.dropped, "chip"));
        } else {
          const tick = part("span", receipt.at ? `✓ ${after(fact, receipt.at)}` : "✓", "chip good");
          tick.title = `${receipt.consumer}: ${words.done}`;
          box.append(tick);
        }
      }
    } else if (types && !types.has(fact.type)) {
      const none = part("span", "–", "quiet");
      none.title = words.none;
      box.append(none);
    } else {
      box.append(part("span", silent.has(service) ? "?" : words.yet, "quiet"));
    }
    return made;
  }

  function row(fact) {
    const made = part("tr");
    const when = part("th");
    when.scope = "row";
    const time = part("time", clock.format(new Date(fact.recorded)));
    time.dateTime = fact.recorded;
    when.append(time);
    const what = part("td");
    const name = fact.type.split(".").at(-2) ?? fact.type;
    const found = placeOf(fact);
    if (fact.sequence) {
      const link = part("a", name);
      link.href = `/${fact.owner}/pages/facts/${fact.sequence}${found ? `?partition=${found.partition}&offset=${found.offset}` : ""}`;
      what.append(link);
    } else {
      what.append(part("span", name));
    }
    const key = part("small", fact.key.replace(UUID, (id) => `${id.slice(0, 4)}…${id.slice(-6)}`));
    key.title = fact.key;
    what.append(key);
    const outbox = part("td", fact.published ? after(fact, fact.published) : words.waiting, "num nowrap");
    const place = part("td");
    place.append(part("code", fact.topic), part("small", found ? `${found.partition}/${found.offset}` : fact.published ? words.place : ""));
    made.append(when, what, outbox, place, ...services.map((service) => cell(fact, service)));
    return made;
  }

  function show(newest) {
    const held = document.activeElement?.closest?.("[data-lane] a")?.getAttribute("href");
    body.replaceChildren(...newest.map(row));
    if (held) body.querySelector(`a[href="${CSS.escape(held)}"]`)?.focus();
    empty.hidden = newest.length > 0;
    for (const service of services) {
      table.querySelector(`[data-service="${service}"]`).classList.toggle("silent", silent.has(service));
    }
    dot.classList.toggle("off", silent.size === services.length);
    dot.classList.toggle("late", silent.size > 0 && silent.size < services.length);
    dot.querySelector("span").textContent = silent.size ? `${[...silent].join(", ")}: ${words.silent}` : words.live;
  }

  async function keepLooking() {
    if (!document.hidden) await look();
    setTimeout(keepLooking, EVERY);
  }
  document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
  keepLooking();
})();
