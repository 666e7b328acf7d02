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
let isAsking = false;     // whether the page waits for a token
let entries = new Map();  // conversation id -> inbox entry
let olderEntries = null;  // the cursor of the rest of the inbox
let open = null;          // the open conversation: see `show`
let inboxEvents = null;

// ---------------------------------------------------------------------------------------- the API

async function request(method, path, { body, headers = {}, signal } = {}) {
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body) headers["Content-Type"] = "application/json";
  const response = await fetch(base + path, { method, headers, body: body && JSON.stringify(body), signal });
  if (response.ok) return response;
  // A proxy may answer with a page of its own.
  const problem = await response.json().catch(() => ({ title: `The server answered ${response.status}.` }));
  if (response.status === 401) askForToken(problem.detail);
  throw Object.assign(new Error(problem.detail || problem.title), { status: response.status });
}

async function call(...parts) {
  const response = await request(...parts);
  return response.json();
}

/// Returns whether a request that failed may succeed later: there was no answer, or one that says so.
const isTemporary = (error) => !error.status || [401, 408, 429, 502, 503, 504].includes(error.status);

const userPath = (user) => `/api/conversations/user/${encodeURIComponent(user)}`;
const messagesPath = (id) => `/api/messages/conversation/${id}`;

// The server writes a comment every 15 s: a stream that is silent for longer is dead.
const SILENCE = 45_000;
const [FIRST_PAUSE, LONGEST_PAUSE] = [1_000, 15_000];

/// Follows a list from a cursor, until it is closed. When it is cut off it goes on after the last
/// event. A hidden page closes its connections, because a browser has six of them for one server.
function follow(path, cursor, type, receive) {
  const closing = new AbortController();
  const run = async () => {
    let pause = FIRST_PAUSE;
    for (;;) {
      await until("visibilitychange", document, () => !document.hidden, closing.signal);
      if (closing.signal.aborted) return;
      const attempt = new AbortController();
      const signal = AbortSignal.any([attempt.signal, closing.signal]);
      document.addEventListener("visibilitychange", () => attempt.abort(), { signal });
      try {
        for await (const event of events(`${path}/events?cursor=${cursor}`, attempt, signal)) {
          pause = FIRST_PAUSE;
          if (event.event === type) receive(JSON.parse(event.data));
          if (event.id) cursor = event.id;
        }
      } catch (error) {
        if (!closing.signal.aborted && !isTemporary(error)) { showError(error); return; }
      }
      attempt.abort();
      if (closing.signal.aborted) return;
      if (document.hidden) continue;
      status("Reconnecting …");
      await sleep(pause);
      pause = Math.min(2 * pause, LONGEST_PAUSE);
    }
  };
  run();
  return { close() { closing.abort(); } };
}

/// Yields the events of a stream. EventSource cannot send a token.
async function* events(path, attempt, signal) {
  let timer = setTimeout(() => attempt.abort(), SILENCE);
  try {
    const response = await request("GET", path, { signal });
    status("");
    retryPending();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(() => attempt.abort(), SILENCE);
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop();
      for (const block of blocks) {
        yield Object.fromEntries(block.split("\n").map((line) => line.split(/: ?(.*)/s, 2)));
      }
    }
  } finally {
    clearTimeout(timer);
  }
}

/// Waits for an event until a condition holds, or until the signal.
function until(event, target, holds, signal) {
  return new Promise((resolve) => {
    if (holds() || signal.aborted) { resolve(); return; }
    const check = () => { if (holds()) resolve(); };
    target.addEventListener(event, check, { signal });
    signal.addEventListener("abort", resolve, { once: true });
  });
}

/// Waits for a time, or until the browser is online again.
function sleep(time) {
  return new Promise((resolve) => {
    setTimeout(resolve, time);
    addEventListener("online", resolve, { once: true });
  });
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
  entries = new Map();
  inboxEvents = null;
  $("start").hidden = true;
  $("app").hidden = false;
  $("me").textContent = user;
  document.title = `${user} – Messenger`;
  try {
    const page = await call("GET", `${userPath(user)}?limit=100&unread=true`);
    page.data.forEach(mergeEntry);
    olderEntries = page.next_cursor;
    renderInbox();
    inboxEvents = follow(userPath(user), page.prev_cursor, "conversation", (entry) => {
      mergeEntry(entry);
      // The other one has begun the conversation that is open.
      if (open && !open.id && otherOf(entry) === open.other) show(entry.id, open.other);
      renderInbox();
      countSoon();
    });
  } catch (error) {
    if (isAsking) return;
    showError(error);
    await sleep(2000);
    if (me === user && !inboxEvents) await enter(user);
  }
}

/// Loads the next part of the inbox when its end is near.
async function loadOlderEntries() {
  const list = $("entries");
  if (!olderEntries || list.scrollHeight - list.scrollTop - list.clientHeight > 200) return;
  const cursor = olderEntries;
  olderEntries = null;
  try {
    const page = await call("GET", `${userPath(me)}?limit=100&unread=true&cursor=${cursor}`);
    page.data.forEach(mergeEntry);
    olderEntries = page.next_cursor;
    renderInbox();
  } catch (error) {
    olderEntries = cursor;
    showError(error);
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
  // Shown again: its id is known now, or reading it failed. What is there stays, and so does the focus.
  const again = open?.other === other ? open : null;
  if (!again) stopEditing();
  open = { id, other, messages: again?.messages ?? new Map(), pending: pendingOf(other), next: null, events: null, loading: false, editing: again?.editing ?? null };
  const mine = open;
  $("app").classList.add("open");
  $("nothing").hidden = true;
  $("conversation").hidden = false;
  $("other").textContent = other;
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
    if (!again) $("text").focus();
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
    if (isAsking) return;
    showError(error);
    await sleep(2000);
    if (open === mine && !mine.events) show(id, other);
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

// The rows of messages. A message that changes is another object.
const rows = new WeakMap();

function rowOf(message, make) {
  if (!rows.has(message)) rows.set(message, make(message));
  return rows.get(message);
}

function renderMessages() {
  const sorted = [...open.messages.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  const shown = [];
  let day = null;
  for (const message of sorted) {
    const date = new Date(message.created_at).toDateString();
    if (date !== day) {
      day = date;
      shown.push(element("li", { className: "day" }, longDate(message.created_at)));
    }
    shown.push(rowOf(message, messageRow));
  }
  shown.push(...open.pending.map((message) => rowOf(message, pendingRow)));
  setChildren($("messages"), shown);
  updateTicks();
}

/// Replaces the children of an element. Those that stay are not moved, so that they keep the focus
/// and the selection.
function setChildren(parent, children) {
  const kept = new Set(children);
  for (const child of [...parent.children]) if (!kept.has(child)) child.remove();
  let next = parent.firstElementChild;
  for (const child of children) {
    if (child === next) next = next.nextElementSibling;
    else parent.insertBefore(child, next);
  }
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
// sent again until there is an answer, and arrives once.
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
  open.pending.push({ key: newKey(), receiver: open.other, content, state: "pending" });
  renderMessages();
  scrollToEnd();
  sendPending(open.other);
}

/// Sends what a receiver has not got, one after the other, so that messages arrive in their order.
async function sendPending(receiver) {
  const pending = pendingOf(receiver);
  if (pending.isSending) return;
  pending.isSending = true;
  for (;;) {
    const message = pending.find((message) => message.state !== "failed");
    if (!message || isAsking) break;
    if (!await deliver(message)) {
      clearTimeout(retryPending.timer);
      retryPending.timer = setTimeout(retryPending, 2000);
      break;
    }
  }
  pending.isSending = false;
}

/// Sends a message. Returns false if it has to be sent again.
async function deliver(message) {
  const { key, receiver, content } = message;
  try {
    const body = { sender_id: me, receiver_id: receiver, content };
    const sent = await call("POST", "/api/messages/", { headers: { "Idempotency-Key": key }, body });
    const pending = pendingOf(receiver);
    pending.splice(pending.indexOf(message), 1);
    if (open?.other !== receiver) return true;
    const wasAtEnd = isAtEnd();
    mergeMessage(sent);
    if (!open.id) { show(sent.conversation_id, receiver); return true; }
    renderMessages();
    if (wasAtEnd) scrollToEnd();
    return true;
  } catch (error) {
    // The key makes repeating safe.
    const again = isTemporary(error);
    setState(message, again ? "waiting" : "failed");
    if (!again) showError(error);
    return !again;
  }
}

function setState(message, state) {
  message.state = state;
  rows.delete(message);
  if (open?.other === message.receiver) renderMessages();
}

function retryPending() {
  for (const receiver of outbox.keys()) sendPending(receiver);
}

function pendingRow(message) {
  const row = element("li", { className: `message mine${message.state === "failed" ? " failed" : ""}` });
  const footer = element("footer");
  const label = { pending: "sending …", waiting: "waiting for the server …", failed: "not sent" }[message.state];
  footer.append(element("span", {}, label));
  if (message.state === "failed") {
    const retry = element("button", { type: "button", className: "quiet" }, "Try again");
    retry.addEventListener("click", () => {
      setState(message, "pending");
      sendPending(message.receiver);
    });
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
  // While it is hidden it has no height to measure.
  if (text.scrollHeight > 0) text.style.height = `${Math.min(text.scrollHeight + 2, 160)}px`;
}

/// The user and the other one are in the fragment, so that a page can be opened again.
function setHash() {
  const hash = new URLSearchParams(needsToken ? {} : { user: me });
  if (open) hash.set("with", open.other);
  history.replaceState(null, "", `#${hash}`);
}

// ------------------------------------------------------------------------------------------- tokens

// The token is kept for this tab only.
const TOKEN = "messenger-token";

/// Asks for a token: the server does not accept the one it got, or wants one.
function askForToken(reason) {
  if (isAsking) return;
  isAsking = true;
  inboxEvents?.close();
  open?.events?.close();
  sessionStorage.removeItem(TOKEN);
  $("app").hidden = true;
  $("start").hidden = false;
  $("start-form").hidden = true;
  $("token-form").hidden = false;
  $("token-reason").textContent = reason;
  $("token").value = "";
  $("token").focus();
}

/// Enters as the user of a token. Only the server checks the token; the page needs to know whose
/// inbox to show.
async function signIn(given, other) {
  const user = subjectOf(given);
  if (!user) { isAsking = false; askForToken("This is not a token with a subject."); return; }
  isAsking = false;
  token = given;
  sessionStorage.setItem(TOKEN, given);
  // Another user must not send what is pending.
  if (me && me !== user) { history.replaceState(null, "", "#"); location.reload(); return; }
  $("token-form").hidden = true;
  await enterWith(user, other ?? open?.other);
}

function subjectOf(given) {
  try {
    const claims = given.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(claims), (byte) => byte.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes)).sub;
  } catch { return undefined; }
}

// --------------------------------------------------------------------------------------------- start

$("start-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const user = $("start-user").value.trim();
  history.replaceState(null, "", `#${new URLSearchParams({ user })}`);
  enter(user);
});
$("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  signIn($("token").value.trim());
});
$("leave").addEventListener("click", () => {
  sessionStorage.removeItem(TOKEN);
  location.hash = "";
  location.reload();
});
$("entries").addEventListener("scroll", loadOlderEntries);
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
addEventListener("online", retryPending);
addEventListener("offline", () => status("Offline"));

/// Opens the inbox of the user whom the fragment names, or whose token it has.
async function start() {
  const hash = new URLSearchParams(location.hash.slice(1));
  const other = hash.get("with");
  if (needsToken) {
    const known = hash.get("token") ?? sessionStorage.getItem(TOKEN);
    // The token leaves the address at once: addresses are kept and shown.
    hash.delete("token");
    history.replaceState(null, "", `#${hash}`);
    if (known) await signIn(known, other); else askForToken("");
    return;
  }
  const user = hash.get("user");
  if (user) { await enterWith(user, other); return; }
  $("start").hidden = false;
  $("start-form").hidden = false;
  $("start-user").focus();
}

/// Opens the inbox of a user, and the conversation with another one if there is one.
async function enterWith(user, other) {
  await enter(user);
  if (!other || isAsking) return;
  const known = [...entries.values()].find((entry) => otherOf(entry) === other);
  show(known?.id ?? null, other);
}

start();
