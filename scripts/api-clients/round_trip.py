"""Two users talk through each of two generated clients, which must agree with the server.

    round_trip.py ADDRESS      where `messenger_client` (openapi-python-client) and `openapi_client`
                               (openapi-generator) can be imported
"""
import sys
import uuid

import messenger_client
import openapi_client
from messenger_client.api.conversations import get_conversation, list_conversations, mark_read
from messenger_client.api.messages import edit_message, list_messages, send_message, unsend_message
from messenger_client.models import InboxEntry, NewMessage, NewReadMarker, NewText


class OpenApiPythonClient:
    """Its calls are functions, and return problem documents as values."""

    def __init__(self, address):
        self.client = messenger_client.Client(f"http://{address}", raise_on_unexpected_status=True)

    def send(self, sender, receiver, content, key):
        body = NewMessage(sender_id=sender, receiver_id=receiver, content=content)
        return send_message.sync(client=self.client, body=body, idempotency_key=key)

    def edit(self, message, content):
        body = NewText(sender_id=message.sender_id, content=content)
        return edit_message.sync(message.conversation_id, message.id, client=self.client, body=body)

    def unsend(self, message):
        return unsend_message.sync(
            message.conversation_id, message.id, client=self.client, sender_id=message.sender_id)

    def mark_read(self, user, message):
        body = NewReadMarker(user_id=user, up_to=message.id)
        return mark_read.sync(message.conversation_id, client=self.client, body=body)

    def history(self, conversation, **query):
        return list_messages.sync(conversation, client=self.client, **query)

    def inbox(self, user, **query):
        return list_conversations.sync(user, client=self.client, **query)

    def entry(self, conversation, user):
        entry = get_conversation.sync(conversation, client=self.client, user_id=user)
        assert isinstance(entry, InboxEntry), entry
        return entry

    def problem(self, conversation):
        """Returns the status and the code of the problem that a history without messages is."""
        answer = list_messages.sync_detailed(conversation, client=self.client)
        return int(answer.status_code), str(answer.parsed.code)


class OpenApiGenerator:
    """Its calls are methods, and raise problem documents as exceptions."""

    def __init__(self, address):
        client = openapi_client.ApiClient(openapi_client.Configuration(f"http://{address}"))
        self.messages = openapi_client.MessagesApi(client)
        self.conversations = openapi_client.ConversationsApi(client)

    def send(self, sender, receiver, content, key):
        body = openapi_client.NewMessage(
            sender_id=user_id(sender), receiver_id=user_id(receiver), content=content)
        return self.messages.send_message(body, idempotency_key=key)

    def edit(self, message, content):
        body = openapi_client.NewText(sender_id=user_id(message.sender_id), content=content)
        return self.messages.edit_message(message.conversation_id, message.id, body)

    def unsend(self, message):
        return self.messages.unsend_message(
            message.conversation_id, message.id, sender_id=message.sender_id)

    def mark_read(self, user, message):
        body = openapi_client.NewReadMarker(user_id=user_id(user), up_to=message.id)
        return self.conversations.mark_read(message.conversation_id, body)

    def history(self, conversation, **query):
        return self.messages.list_messages(conversation, **query)

    def inbox(self, user, **query):
        return self.conversations.list_conversations(user, **query)

    def entry(self, conversation, user):
        answer = self.conversations.get_conversation(conversation, user_id=user)
        assert isinstance(answer.actual_instance, openapi_client.InboxEntry), answer
        return answer.actual_instance

    def problem(self, conversation):
        try:
            self.messages.list_messages(conversation)
        except openapi_client.ApiException as error:
            return error.status, error.data.code
        raise AssertionError("a conversation that does not exist has a history")


def user_id(text):
    """Requests take user ids as text or as numbers, for which this generator has a type."""
    return openapi_client.UserIdInput(text)


def round_trip(client):
    alice, bob = (f"{name}-{uuid.uuid4()}" for name in ("alice", "bob"))
    key = str(uuid.uuid4())
    first = client.send(alice, bob, "first", key)
    assert client.send(alice, bob, "first", key) == first, "a replay is the same message"
    second = client.send(bob, alice, "second", str(uuid.uuid4()))
    conversation = first.conversation_id

    page = client.history(conversation, limit=1)
    assert [message.content for message in page.data] == ["second"], page
    older = client.history(conversation, limit=1, cursor=page.next_cursor)
    assert older.data == [first] and older.next_cursor is None, older

    edited = client.edit(first, "first, edited")
    assert edited.revision > first.revision and edited.edited_at, edited
    assert client.history(conversation, cursor=page.prev_cursor).data == [edited]

    [entry] = client.inbox(alice, unread=True).data
    assert entry.last_message.preview == "second" and entry.unread.count == 1, entry
    client.mark_read(alice, second)
    [entry] = client.inbox(alice, unread=True).data
    assert entry.unread.count == 0 and entry.read_up_to == second.id, entry
    assert client.entry(conversation, bob).seen_up_to == second.id

    unsent = client.unsend(edited)
    assert unsent.content is None and unsent.unsent_at, unsent
    assert client.problem(uuid.uuid4()) == (404, "conversation_not_found")


for client in (OpenApiPythonClient, OpenApiGenerator):
    round_trip(client(sys.argv[1]))
    print(f"{client.__name__}: a conversation of two, with what changes in it")
