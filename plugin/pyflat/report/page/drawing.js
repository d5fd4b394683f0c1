// Draws networks: a bridge is a wire that its containers hang on.

const SVG = "http://www.w3.org/2000/svg";
const UNITS = ["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"];

function make(kind, about = {}, ...inside) {
  const { data = {}, ...rest } = about;
  const element = Object.assign(document.createElement(kind), rest);
  Object.assign(element.dataset, data);
  element.append(...inside.filter((each) => each !== null && each !== ""));
  return element;
}

const code = (text) => make("code", { textContent: text });
const short = (id) => id.slice(0, 12);

export function draw(place, topology, names, interfaces) {
  const drawn = topology.networks.map((each) => network(each, names, interfaces));
  const none = make("p", { className: "facts", textContent: "There is no network yet: docker network create -d pyflat lan" });
  place.replaceChildren(...(drawn.length ? drawn : [none]));
}

export function showRates(place, rates, charts) {
  for (const each of place.querySelectorAll("[data-rates]")) {
    const { rates: name, turned } = each.dataset;
    const rate = rates.get(name);
    const [first, second] = turned ? ["out", "in"] : ["in", "out"];
    write(each.children[0], rate?.[first]);
    write(each.children[1], rate?.[second]);
  }
  for (const each of place.querySelectorAll("[data-chart]")) {
    plot(each, charts.get(each.dataset.chart) ?? []);
  }
}

// Hides what does not hold every word of the text.
export function sift(place, text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  for (const each of place.querySelectorAll("[data-text]")) {
    each.hidden = !words.every((word) => each.dataset.text.includes(word));
  }
}

function write(element, rate) {
  const text = rate === undefined ? "-" : human(rate);
  if (element.textContent !== text) element.textContent = text;
  element.classList.toggle("idle", !rate);
}

export function human(rate) {
  const step = Math.min(UNITS.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(rate, 1)) / 3)));
  const value = rate / 1000 ** step;
  return `${value.toFixed(step && value < 100 ? 1 : 0)} ${UNITS[step]}`;
}

function plot(svg, line) {
  if (line.length < 2) return;
  const highest = Math.max(1, ...line.flatMap((each) => [each.in, each.out]));
  for (const way of ["in", "out"]) {
    const points = line.map((each, i) => `${60 - line.length + i},${19 - (18 * each[way]) / highest}`);
    svg.querySelector(`.${way}`).setAttribute("points", points.join(" "));
  }
}

function rates(name, turned = "") {
  const both = ["in", "out"].map((way) => make("span", { className: `${way} idle`, textContent: "-" }));
  return make("span", { className: "rates", title: "received and sent", data: { rates: name, turned } }, ...both);
}

function network(view, names, interfaces) {
  const name = names.networks[view.id] || short(view.id);
  const facts = [
    ...view.subnets.map((subnet) => subnet.cidr),
    view.tunnel ? `VNI ${view.tunnel.vni}` : "",
    view.internal ? "internal" : "",
    view.icc ? "" : "containers apart",
    view.antispoof ? "antispoof" : "",
    `MTU ${view.mtu}`,
  ].filter(Boolean);
  const top = make("div", { className: "top" },
    make("h2", { textContent: name }),
    make("p", { className: "facts" }, ...facts.map(code)),
    chart(view.id, name));
  const parts = [top, bridge(view, names, interfaces), view.tunnel ? tunnel(view, interfaces) : ""];
  return make("section", { className: "network", ariaLabel: `Network ${name}` }, ...parts);
}

function chart(id, name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 60 20");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("class", "chart");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `Traffic of the containers of ${name} in the last two minutes`);
  svg.dataset.chart = id;
  for (const way of ["in", "out"]) {
    const line = document.createElementNS(SVG, "polyline");
    line.setAttribute("class", way);
    svg.append(line);
  }
  return svg;
}

function bridge(view, names, interfaces) {
  const gateways = view.subnets.map((subnet) => subnet.gateway).filter(Boolean);
  const node = make("p", { className: "node" },
    make("span", { textContent: view.inside ? "host" : "bridge" }), code(numbered(view.bridge, interfaces)),
    ...gateways.map(code),
    view.inside ? make("span", { textContent: "bridge" }) : "",
    view.inside ? code(numbered(view.port_bridge, interfaces)) : "",
    rates(view.bridge, "turned"));
  const named = (each) => names.containers[each.id] || each.names[0] || each.id;
  const sorted = view.endpoints.toSorted((one, other) => named(one).localeCompare(named(other)));
  const cables = sorted.map((each) => endpoint(each, names, interfaces));
  const list = cables.length
    ? make("ul", { className: "cables" }, ...cables)
    : make("p", { className: "none", textContent: "no container" });
  return make("div", { className: "bridge" }, node, list);
}

function endpoint(view, names, interfaces) {
  const name = names.containers[view.id] || view.names[0] || short(view.id);
  const seen = interfaces[view.host_end];
  const peer = seen?.peer ? ` ⇄ #${seen.peer}` : "";
  const addresses = view.addresses.map((address) => address.split("/")[0]);
  const ports = spans(view.ports).map(port);
  const box = make("div", { className: view.sandbox ? "box" : "box waiting" },
    make("h3", { textContent: name }),
    make("p", {}, ...addresses.map(code)),
    make("p", {}, make("code", { className: "facts", textContent: view.mac })),
    make("p", {}, rates(view.host_end)),
    ports.length ? make("ul", { className: "ports", ariaLabel: "published ports" },
      ...ports.map((text) => make("li", {}, code(text)))) : "");
  const text = [name, ...view.names, ...addresses, view.mac, view.host_end, ...ports].join(" ").toLowerCase();
  return make("li", { data: { cable: numbered(view.host_end, interfaces) + peer, text } }, box);
}

// Takes together what is there for IPv4 and for IPv6, and neighbouring numbers.
function spans(ports) {
  const named = ports.map(({ protocol, host, host_port: from, container_port: to }) =>
    ({ protocol, host: ["0.0.0.0", "::"].includes(host) ? "" : host, open: !host, from, to, more: 0 }));
  named.sort((one, other) => one.host.localeCompare(other.host) || one.from - other.from);
  const found = [];
  for (const each of named) {
    const like = found.findLast((other) => ["protocol", "host", "open"].every((key) => other[key] === each[key]));
    const ahead = like ? each.from - like.from : -1;
    if (ahead < 0 || ahead > like.more + 1 || each.to - like.to !== ahead) found.push(each);
    else like.more = ahead;
  }
  return found;
}

function port({ protocol, host, open, from, to, more }) {
  const span = (first) => (more ? `${first}-${first + more}` : `${first}`);
  const end = span(to) + (protocol === "tcp" ? "" : `/${protocol}`);
  return open ? `:${end}` : `${host.includes(":") ? `[${host}]` : host}:${span(from)} → ${end}`;
}

function tunnel(view, interfaces) {
  const { device, underlay, address, port: number, group } = view.tunnel;
  const node = make("p", { className: "node tunnel" },
    make("span", { textContent: "tunnel" }), code(numbered(device, interfaces)),
    code(`${address} on ${underlay}, UDP ${number}`), group ? code(group) : "", rates(device, "turned"));
  const hosts = view.peers.map((peer) => far(peer, view.remotes.filter((each) => each.host === peer.host)));
  const list = hosts.length
    ? make("ul", { className: "cables far" }, ...hosts)
    : make("p", { className: "none", textContent: "no other host" });
  return make("div", {}, node, list);
}

function far(peer, remotes) {
  const names = remotes.map((each) => `${each.names[0] || short(each.id)} ${each.addresses.join(" ")}`);
  const state = peer.expired ? make("p", { className: "gone", textContent: "not heard of" }) : "";
  const box = make("div", { className: "box" },
    make("h3", { textContent: peer.host || peer.vtep }), state,
    make("ul", {}, ...names.map((text) => make("li", {}, code(text)))));
  const text = [peer.host, peer.vtep, ...names].join(" ").toLowerCase();
  return make("li", { data: { cable: peer.vtep || "names only", text } }, box);
}

function numbered(name, interfaces) {
  return interfaces[name] ? `${name} #${interfaces[name].index}` : name;
}
