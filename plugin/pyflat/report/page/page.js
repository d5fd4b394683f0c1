// Asks for what there is every two seconds. Everything that comes is text, never markup.
import { draw, showRates, sift } from "./drawing.js";

const PERIOD = 2000; // ms between two looks
const KEPT = 60; // looks that a chart goes back

const place = (id) => document.getElementById(id);
const past = { traffic: null, drawn: "", charts: new Map() };

async function ask(path) {
  const answer = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(5 * PERIOD) });
  return { ok: answer.ok, text: await answer.text() };
}

async function look() {
  const paths = ["topology.json", "names.json", "traffic.json", "healthz"];
  const [topology, names, traffic, health] = await Promise.all(paths.map(ask));
  const failed = [topology, names, traffic].find((answer) => !answer.ok);
  if (failed) throw new Error(failed.text);
  tell(health.ok, health.ok ? "healthy" : "not healthy", health.ok ? "" : health.text);
  show(topology.text, names.text, JSON.parse(traffic.text));
}

function show(topologyText, namesText, traffic) {
  const topology = JSON.parse(topologyText);
  const indexes = Object.values(traffic.interfaces).map((each) => each.index).join();
  const drawn = topologyText + namesText + indexes;
  if (drawn !== past.drawn) {
    place("host").textContent = topology.host;
    place("version").textContent = `pyflat ${topology.version}`;
    draw(place("networks"), topology, JSON.parse(namesText), traffic.interfaces);
    sift(place("networks"), place("find").value);
    past.drawn = drawn;
  }
  const rates = past.traffic ? ratesBetween(past.traffic, traffic) : new Map();
  past.traffic = traffic;
  chart(topology, rates);
  showRates(document, rates, past.charts);
  sum(topology);
}

// Bits a second of each interface, as whoever is at its other end sees them.
function ratesBetween(before, after) {
  const seconds = after.time - before.time;
  const rates = new Map();
  for (const [name, now] of Object.entries(after.interfaces)) {
    const then = before.interfaces[name];
    if (!then || then.index !== now.index || seconds <= 0) continue;
    const grown = (field) => Math.max(0, (now[field] - then[field]) * 8 / seconds);
    rates.set(name, { in: grown("sent_bytes"), out: grown("received_bytes") });
  }
  return rates;
}

function total(names, rates) {
  const sum = { in: 0, out: 0 };
  for (const name of names) {
    sum.in += rates.get(name)?.in ?? 0;
    sum.out += rates.get(name)?.out ?? 0;
  }
  return sum;
}

const ends = (network) => network.endpoints.map((endpoint) => endpoint.host_end);

function chart(topology, rates) {
  const charts = new Map();
  for (const network of topology.networks) {
    const line = past.charts.get(network.id) ?? [];
    charts.set(network.id, [...line, total(ends(network), rates)].slice(-KEPT));
  }
  past.charts = charts;
}

function sum(topology) {
  const containers = topology.networks.flatMap(ends);
  const published = topology.networks.flatMap((n) => n.endpoints.flatMap((each) => each.ports));
  const ports = new Set(published.map((port) => `${port.host_port}/${port.protocol}`));
  const facts = { networks: topology.networks.length, connections: containers.length, ports: ports.size };
  const rows = Object.entries(facts).map(([what, number]) => {
    const row = document.createElement("div");
    for (const [kind, text] of [["dt", what], ["dd", number]]) {
      row.append(Object.assign(document.createElement(kind), { textContent: text }));
    }
    return row;
  });
  place("sums").replaceChildren(...rows);
}

function tell(good, text, troubles) {
  const state = place("health");
  if (state.textContent !== text) state.textContent = text;
  state.className = `state ${good ? "good" : "bad"}`;
  if (place("troubles").textContent !== troubles) place("troubles").textContent = troubles;
  place("troubles").hidden = !troubles;
}

async function run() {
  try {
    if (!document.hidden) await look();
    document.body.classList.remove("stale");
  } catch (error) {
    document.body.classList.add("stale");
    tell(false, "no answer", `${error.message || error}`);
  }
  setTimeout(run, PERIOD);
}

place("find").addEventListener("input", () => sift(place("networks"), place("find").value));
run();
