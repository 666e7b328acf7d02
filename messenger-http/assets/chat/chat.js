"use strict";
// A small client of the API: https://html.spec.whatwg.org/ features only, no library.
//
// Everything a server returns is merged, never replaced: items may come more than once. Text is set
// as textContent, so nothing that a message contains is interpreted.

const { base, access } = document.currentScript.dataset;
const needsToken = access === "token";
const $ = (id) => document.getElementById(id);

let me = null;            // the user
let token = null;         // the user's token, if the server asks for one; kept for this tab only
let entries = new Map();  // conversation id -> inbox entry
let open = null;          // the open conversation: see `show`
let inboxEvents = null;

// ---------------------------------------------------------------------------------------- the API

const authorization = () => (token ? { Authorization: `Bearer ${token}` } : {});

async function call(method, path, { body, key } = {}) {
  const headers = authorization();
  if (body) headers["Content-Type"] = "application/json";
  if (key) headers["Idempotency-Key"] = key;
  const response = await fetch(base + path, {
    method,
    headers,
    body: body && JSON.stringify(body),
  });
  const answer = await response.json();
  if (response.status === 401) askForToken(answer.detail);
  if (!response.ok) throw Object.assign(new Error(answer.detail || answer.title), { problem: answer });
  return answer;
}

const userPath = (user) => `/api/conversations/user/${encodeURIComponent(user)}`;
const messagesPath = (id) => `/api/messages/conversation/${id}`;

const RECONNECT_AFTER = 1000;
/// The server writes at least every 15 seconds, so a stream that is silent for longer is dead.
const SILENT_FOR = 40_000;

/// Follows a list by server-sent events, from a cursor on, for as long as it takes. Each connection
/// goes on from the last cursor. (An EventSource would do the same, but sends no token.)
function follow(path, cursor, type, receive) {
  const stop = new AbortController();
  const connect = async () => {
    const response = await fetch(`${base}${path}/events?cursor=${cursor}`, { headers: authorization(), signal: stop.signal });
    if (response.status === 401) askForToken((await response.json()).detail);
    if (!response.ok) return;
    status("");
    retryPending();
    for await (const event of eventsOf(response.body)) {
      if (event.event === type) receive(JSON.parse(event.data));
      if (event.id) cursor = event.id;
    }
  };
  (async () => {
    while (!stop.signal.aborted) {
      try { await connect(); } catch { /* Connect again. */ }
      if (stop.signal.aborted) return;
      status("Reconnecting …");
      await new Promise((resolve) => setTimeout(resolve, RECONNECT_AFTER));
    }
  })();
  return { close() { stop.abort(); } };
}

/// Reads the events of a stream: its fields by name (HTML standard, section 9.2.6).
async function* eventsOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const timer = setTimeout(() => reader.cancel(), SILENT_FOR);
    const { value, done } = await reader.read();
    clearTimeout(timer);
    if (done) return;
    const blocks = (text + value).split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      yield Object.fromEntries(block.split("\n").map((line) => {
        const [name, ...rest] = line.split(": ");
        return [name, rest.join(": ")];
      }));
    }
  }
}

function status(text) { $("connection").textContent = text; }

function showError(error) {
  $("error").textContent = error.message;
  $("error").hidden = false;
  clearTimeout(showError.timer);
  showError.timer = setTimeout(() => { $("error").hidden = true; }, 6000);
}

// ------------------------------------------------------------------------------------------ merging

/// Returns whether state a of a message is newer than b: an unsent message stays unsent, otherwise
/// the greater revision wins.
function isNewer(a, b, isUnsent) {
  if (isUnsent(a) !== isUnsent(b)) return isUnsent(a);
  return a.revision > b.revision;
}
const messageUnsent = (message) => message.content === null;
const previewUnsent = (last) => last.preview === null;
const further = (a, b) => (a === null || (b !== null && b > a) ? b : a);

function mergeEntry(entry) {
  const known = entries.get(entry.id);
  if (known) {
    const [a, b] = [known.last_message, entry.last_message];
    const keep = a.id > b.id || (a.id === b.id && isNewer(a, b, previewUnsent));
    entry = {
      ...entry,
      last_message: keep ? a : b,
      read_up_to: further(known.read_up_to, entry.read_up_to),
      seen_up_to: further(known.seen_up_to, entry.seen_up_to),
      unread: entry.unread ?? known.unread,
    };
  }
  entries.set(entry.id, entry);
  if (open && open.id === entry.id) updateTicks();
}

// -------------------------------------------------------------------------------------------- inbox

async function enter(user) {
  me = user;
  if (outbox.owner !== user) {
    outbox.clear();
    outbox.owner = user;
  }
  entries = new Map();
  $("start").hidden = true;
  $("start-form").hidden = true;
  $("token-form").hidden = true;
  $("app").hidden = false;
  $("me").textContent = user;
  document.title = `${user} – Messenger`;
  try {
    const page = await call("GET", `${userPath(user)}?limit=100&unread=true`);
    page.data.forEach(mergeEntry);
    renderInbox();
    inboxEvents = follow(userPath(user), page.prev_cursor, "conversation", (entry) => {
      mergeEntry(entry);
      renderInbox();
      countSoon();
    });
  } catch (error) {
    showError(error);
    setTimeout(() => { if (me === user && !inboxEvents) enter(user); }, 2000);
  }
}

/// Events have no unread counts; they are asked for when things are quiet for a moment.
function countSoon() {
  clearTimeout(countSoon.timer);
  countSoon.timer = setTimeout(async () => {
    try {
      const page = await call("GET", `${userPath(me)}?limit=30&unread=true`);
      page.data.forEach(mergeEntry);
      renderInbox();
    } catch { /* The next event counts again. */ }
  }, 250);
}

const otherOf = (entry) => entry.participants.find((user) => user !== me) ?? me;

function renderInbox() {
  const list = $("entries");
  const sorted = [...entries.values()].sort((a, b) => (a.last_message.id < b.last_message.id ? 1 : -1));
  const rows = sorted.map((entry) => {
    const button = element("button", { type: "button", className: "entry" });
    button.dataset.id = entry.id;
    if (open && open.id === entry.id) button.setAttribute("aria-current", "true");
    const name = element("strong", {}, otherOf(entry));
    const time = element("time", { dateTime: entry.last_message.created_at }, shortTime(entry.last_message.created_at));
    const unsent = previewUnsent(entry.last_message);
    const mine = entry.last_message.sender_id === me ? "You: " : "";
    const preview = element("bdi", { className: `preview${unsent ? " unsent" : ""}` },
      unsent ? "Message unsent" : mine + entry.last_message.preview);
    button.append(name, time, preview);
    if (entry.unread && entry.unread.count > 0) {
      const count = entry.unread.capped ? `${entry.unread.count}+` : `${entry.unread.count}`;
      const badge = element("span", { className: "badge" }, count);
      badge.setAttribute("aria-label", `${count} unread`);
      button.append(badge);
    }
    button.addEventListener("click", () => show(entry.id, otherOf(entry)));
    const item = element("li");
    item.append(button);
    return item;
  });
  const focused = document.activeElement?.dataset?.id;
  list.replaceChildren(...rows);
  if (focused) list.querySelector(`[data-id="${CSS.escape(focused)}"]`)?.focus();
  $("no-entries").hidden = rows.length > 0;
}

// ------------------------------------------------------------------------------------- conversation

/// Opens a conversation. Its id is not known before its first message.
async function show(id, other) {
  open?.events?.close();
  open = { id, other, messages: new Map(), pending: open?.other === other ? open.pending : pendingOf(other), next: null, events: null, loading: false, editing: null };
  const mine = open;
  $("app").classList.add("open");
  $("nothing").hidden = true;
  $("conversation").hidden = false;
  $("other").textContent = other;
  stopEditing();
  renderInbox();
  renderMessages();
  setHash();
  if (!id) { $("text").focus(); return; }
  try {
    const page = await call("GET", `${messagesPath(id)}?limit=50`);
    if (open !== mine) return;
    page.data.forEach(mergeMessage);
    open.next = page.next_cursor;
    renderMessages();
    scrollToEnd();
    markRead();
    $("text").focus();
    open.events = follow(messagesPath(id), page.prev_cursor, "message", (message) => {
      if (open !== mine) return;
      const wasAtEnd = isAtEnd();
      const isNew = !open.messages.has(message.id);
      mergeMessage(message);
      renderMessages();
      if (wasAtEnd) scrollToEnd();
      if (isNew && message.sender_id !== me && message.content !== null) {
        $("live").textContent = `${message.sender_id}: ${message.content}`;
      }
      markRead();
    });
  } catch (error) {
    showError(error);
    setTimeout(() => { if (open === mine && !mine.events) show(id, other); }, 2000);
  }
}

function close() {
  open?.events?.close();
  open = null;
  $("app").classList.remove("open");
  $("conversation").hidden = true;
  $("nothing").hidden = false;
  setHash();
  renderInbox();
}

function mergeMessage(message) {
  const known = open.messages.get(message.id);
  if (!known || isNewer(message, known, messageUnsent)) open.messages.set(message.id, message);
}

async function loadOlder() {
  if (!open?.next || open.loading) return;
  const mine = open;
  mine.loading = true;
  try {
    const page = await call("GET", `${messagesPath(mine.id)}?limit=50&cursor=${mine.next}`);
    if (open !== mine) return;
    const list = $("messages");
    const fromEnd = list.scrollHeight - list.scrollTop;
    page.data.forEach(mergeMessage);
    open.next = page.next_cursor;
    renderMessages();
    list.scrollTop = list.scrollHeight - fromEnd;
  } catch (error) {
    showError(error);
  } finally {
    mine.loading = false;
  }
}

function renderMessages() {
  const sorted = [...open.messages.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  const rows = [];
  let day = null;
  for (const message of sorted) {
    const date = new Date(message.created_at).toDateString();
    if (date !== day) {
      day = date;
      rows.push(element("li", { className: "day" }, longDate(message.created_at)));
    }
    rows.push(messageRow(message));
  }
  rows.push(...open.pending.map(pendingRow));
  $("messages").replaceChildren(...rows);
  updateTicks();
}

function messageRow(message) {
  const mine = message.sender_id === me;
  const unsent = messageUnsent(message);
  const row = element("li", { className: `message${mine ? " mine" : ""}${unsent ? " unsent" : ""}` });
  row.dataset.id = message.id;
  const footer = element("footer");
  if (mine && !unsent) {
    const actions = element("span", { className: "actions" });
    const edit = element("button", { type: "button", className: "quiet" }, "Edit");
    edit.addEventListener("click", () => startEditing(message));
    const unsend = element("button", { type: "button", className: "quiet" }, "Unsend");
    unsend.addEventListener("click", () => unsendMessage(message));
    actions.append(edit, unsend);
    footer.append(actions);
  }
  if (message.edited_at) footer.append(element("span", {}, "edited"));
  footer.append(element("time", { dateTime: message.created_at }, clockTime(message.created_at)));
  if (mine) footer.append(element("span", { className: "tick" }));
  row.append(element("p", {}, unsent ? "Message unsent" : message.content), footer);
  return row;
}

/// Shows which of the user's messages the other one has seen.
function updateTicks() {
  const seen = entries.get(open.id)?.seen_up_to ?? null;
  for (const row of $("messages").querySelectorAll(".message.mine[data-id]")) {
    const isSeen = seen !== null && row.dataset.id <= seen;
    const tick = row.querySelector(".tick");
    tick.textContent = isSeen ? "✓✓ seen" : "✓ sent";
  }
}

async function markRead() {
  if (!open?.id || document.visibilityState !== "visible" || !isAtEnd()) return;
  const theirs = [...open.messages.values()].filter((message) => message.sender_id !== me);
  const last = theirs.reduce((last, message) => (message.id > last ? message.id : last), "");
  const read = entries.get(open.id)?.read_up_to ?? "";
  if (last <= (read ?? "") || last === open.marking) return;
  const mine = open;
  mine.marking = last;
  try {
    const entry = await call("PUT", `/api/conversations/${mine.id}/read`, { body: { user_id: me, up_to: last } });
    mergeEntry(entry);
    renderInbox();
    countSoon();
  } catch { mine.marking = null; /* The next message marks again. */ }
}

const isAtEnd = () => {
  const list = $("messages");
  return list.scrollHeight - list.scrollTop - list.clientHeight < 60;
};
const scrollToEnd = () => { $("messages").scrollTop = $("messages").scrollHeight; };

// ------------------------------------------------------------------------------------------ sending

// Messages that the server has not acknowledged, by receiver. Each has its idempotency key, so it is
// sent again until there is an answer, and arrives once. All are of one user, the owner.
const outbox = new Map();

function pendingOf(other) {
  if (!outbox.has(other)) outbox.set(other, []);
  return outbox.get(other);
}

function newKey() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function send(content) {
  const message = { key: newKey(), receiver: open.other, content, state: "pending", at: new Date().toISOString() };
  open.pending.push(message);
  renderMessages();
  scrollToEnd();
  deliver(message);
}

async function deliver(message) {
  const sender = me;
  message.state = "pending";
  message.delivering = true;
  try {
    const sent = await call("POST", "/api/messages/", {
      key: message.key,
      body: { sender_id: sender, receiver_id: message.receiver, content: message.content },
    });
    const pending = pendingOf(message.receiver);
    pending.splice(pending.indexOf(message), 1);
    if (open?.other === message.receiver) {
      if (open.id) {
        const wasAtEnd = isAtEnd();
        mergeMessage(sent);
        renderMessages();
        if (wasAtEnd) scrollToEnd();
      } else {
        show(sent.conversation_id, message.receiver);
      }
    }
  } catch (error) {
    // No answer, or one that says to try again: the key makes repeating safe.
    const again = !error.problem || [408, 429, 502, 503, 504].includes(error.problem.status);
    message.state = again ? "waiting" : "failed";
    if (again) setTimeout(retryPending, 2000); else showError(error);
    if (open?.other === message.receiver) renderMessages();
  } finally {
    message.delivering = false;
  }
}

function retryPending() {
  if (!me) return;
  for (const pending of outbox.values()) {
    for (const message of pending) {
      if (message.state === "waiting" && !message.delivering) deliver(message);
    }
  }
}

function pendingRow(message) {
  const row = element("li", { className: `message mine${message.state === "failed" ? " failed" : ""}` });
  const footer = element("footer");
  const label = { pending: "sending …", waiting: "waiting for the server …", failed: "not sent" }[message.state];
  footer.append(element("span", {}, label));
  if (message.state === "failed") {
    const retry = element("button", { type: "button", className: "quiet" }, "Try again");
    retry.addEventListener("click", () => deliver(message));
    footer.append(retry);
  }
  row.append(element("p", {}, message.content), footer);
  return row;
}

// ------------------------------------------------------------------------------------ edit, unsend

function startEditing(message) {
  open.editing = message;
  $("editing").hidden = false;
  $("text").value = message.content;
  $("text").focus();
  grow();
}

function stopEditing() {
  if (open) open.editing = null;
  $("editing").hidden = true;
  $("text").value = "";
  grow();
}

async function edit(message, content) {
  const changed = await call("PATCH", `${messagesPath(message.conversation_id)}/${message.id}`, { body: { sender_id: me, content } });
  mergeMessage(changed);
  renderMessages();
}

async function unsendMessage(message) {
  if (!confirm("Unsend this message for everyone?")) return;
  try {
    const path = `${messagesPath(message.conversation_id)}/${message.id}?sender_id=${encodeURIComponent(me)}`;
    mergeMessage(await call("DELETE", path));
    renderMessages();
  } catch (error) { showError(error); }
}

// ------------------------------------------------------------------------------------------ helpers

function element(name, properties = {}, text) {
  const made = Object.assign(document.createElement(name), properties);
  if (text !== undefined) made.textContent = text;
  return made;
}

const clockTime = (time) => new Date(time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
const longDate = (time) => new Date(time).toLocaleDateString([], { weekday: "long", day: "numeric", month: "long", year: "numeric" });
function shortTime(time) {
  const isToday = new Date(time).toDateString() === new Date().toDateString();
  return isToday ? clockTime(time) : new Date(time).toLocaleDateString([], { day: "numeric", month: "short" });
}

function grow() {
  const text = $("text");
  text.style.height = "auto";
  text.style.height = `${Math.min(text.scrollHeight + 2, 160)}px`;
}

/// The user and the other one are in the fragment, so that a page can be opened again.
function setHash() {
  const hash = new URLSearchParams(needsToken ? {} : { user: me });
  if (open) hash.set("with", open.other);
  history.replaceState(null, "", `#${hash}`);
}

// --------------------------------------------------------------------------------------------- start

const TOKEN = "messenger-token";

/// Opens the inbox of the user whom the fragment names, or whose token it has.
function start() {
  const hash = new URLSearchParams(location.hash.slice(1));
  const other = hash.get("with");
  if (needsToken) {
    const known = hash.get("token") ?? sessionStorage.getItem(TOKEN);
    // The token leaves the address at once: addresses are kept and shown.
    hash.delete("token");
    history.replaceState(null, "", `#${hash}`);
    if (known) useToken(known, other); else askForToken("");
    return;
  }
  const user = hash.get("user");
  if (user) { openAs(user, other); return; }
  $("start").hidden = false;
  $("start-form").hidden = false;
  $("start-user").focus();
}

async function openAs(user, other) {
  await enter(user);
  if (!other || me !== user) return;
  const known = [...entries.values()].find((entry) => otherOf(entry) === other);
  show(known?.id ?? null, other);
}

/// Becomes the user of a token. Only the server verifies it; the page reads whose inbox to show.
function useToken(text, other) {
  try {
    const claims = text.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    const user = JSON.parse(atob(claims)).sub;
    if (typeof user !== "string") throw new Error();
    token = text;
    sessionStorage.setItem(TOKEN, text);
    openAs(user, other);
  } catch {
    askForToken("This is not a token.");
  }
}

/// Asks for a token, because there is none, or the server does not accept it any more. What was not
/// sent yet is kept.
function askForToken(reason) {
  inboxEvents?.close();
  inboxEvents = null;
  if (open) close();
  me = null;
  token = null;
  sessionStorage.removeItem(TOKEN);
  $("app").hidden = true;
  $("start").hidden = false;
  $("token-form").hidden = false;
  $("token-reason").textContent = reason;
  $("token").focus();
}

$("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const pasted = $("token").value.trim();
  $("token").value = "";
  useToken(pasted);
});
$("start-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const user = $("start-user").value.trim();
  history.replaceState(null, "", `#${new URLSearchParams({ user })}`);
  enter(user);
});
$("leave").addEventListener("click", () => {
  sessionStorage.removeItem(TOKEN);
  location.hash = "";
  location.reload();
});
$("back").addEventListener("click", close);
$("new-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const other = $("new-user").value.trim();
  if (other === me) { showError(new Error("Write to somebody else.")); return; }
  $("new-user").value = "";
  const known = [...entries.values()].find((entry) => otherOf(entry) === other);
  show(known?.id ?? null, other);
});
$("send-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const content = $("text").value;
  if (!content.trim()) return;
  const editing = open.editing;
  try {
    if (editing) await edit(editing, content); else send(content);
    stopEditing();
  } catch (error) { showError(error); }
});
$("cancel-edit").addEventListener("click", stopEditing);
$("text").addEventListener("input", grow);
$("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    $("send-form").requestSubmit();
  }
  if (event.key === "Escape" && open?.editing) stopEditing();
});
$("messages").addEventListener("scroll", () => {
  if ($("messages").scrollTop < 200) loadOlder();
  if (isAtEnd()) markRead();
});
document.addEventListener("visibilitychange", () => { if (open) markRead(); });
addEventListener("online", () => { status(""); retryPending(); });
addEventListener("offline", () => status("Offline"));

start();
