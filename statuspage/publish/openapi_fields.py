"""Every object of the public API, field by field: name, type, meaning. OpenAPI document and reference page are made of it.

Types: text, id (12 letters and digits), time (ISO 8601 in UTC with milliseconds), int, bool, texts (language -> text), lines
(language -> list of texts), words(a b …) a closed list, [X] a list of X, {X} an object of X by key, any, and names of other
objects. A question mark: may be null. A tilde behind the name: may be absent.
"""

from __future__ import annotations

_COMPONENT = "operational degraded_performance partial_outage major_outage under_maintenance"
_OWN = "operational degraded partial_outage major_outage under_maintenance unknown"
_STATE = "investigating identified monitoring resolved scheduled in_progress verifying completed"
_KIND = "incident maintenance security advisory"
_IMPACT = "none minor major critical maintenance"
_VERDICT = "ok suspected down degraded maintenance unknown"
_FUNDS = (
    "unaffected_verified no_evidence_of_loss unavailable_temporarily will_be_corrected at_risk_act_now loss_confirmed "
    "unknown_checking"
)
_INCIDENT = f"""
id | id | The notice's id
name | text | Title in the page's first language
status | words({_STATE}) | State in Statuspage's words
created_at | time | When it was published
updated_at | time | When it last changed
monitoring_at | time? | When the repair began to be watched
resolved_at | time? | When it was over
impact | words({_IMPACT}) | How bad it is
shortlink | text | Short address by notice number
started_at | time | When it began; of a maintenance: when it was announced
page_id | id | The page's id
incident_updates | [Update] | What was said, newest first
components | [Component] | Components it names
scheduled_for~ | time? | Of a maintenance: begin of its window
scheduled_until~ | time? | Of a maintenance: end of its window
x_wallet | Notice | What a wallet's user asks and Statuspage has no field for
"""

OBJECTS: dict[str, str] = {
    "Page": """
id | id | The page's id
name | text | The wallet's name
url | text | The page's address
time_zone | text | Zone of days and months
updated_at | time | Moves with every public change
""",
    "Status": """
indicator | words(none minor major critical maintenance) | The worst there is
description | text | The same as a sentence
""",
    "Component": f"""
id | id | The component's id
name | text | Name in the page's first language
status | words({_COMPONENT}) | Status in Statuspage's words; unknown is degraded_performance
created_at | time | Since when it is shown
updated_at | time | When its status or its name last changed
position | int | Place in the list
description | text? | What it does
showcase | bool | Whether it is shown; groups are not
start_date | text? | First day that counts for uptime
group_id | id? | The group it stands in
page_id | id | The page's id
group | bool | Whether this is a group
only_show_if_degraded | bool | Always false
components~ | [id] | Of a group: ids of its components
x_wallet | ComponentExtra | Our own words for it
""",
    "ComponentExtra": f"""
id | text | Short id, as in addresses of pages, feeds and badges
status | words({_OWN}) | Our own status, which knows unknown
names | texts | Name in every language
""",
    "Incident": _INCIDENT,
    "Update": f"""
id | id | The update's id
status | words({_STATE}) | State it brought
body | text | Text in the page's first language, Markdown
incident_id | id | The notice it belongs to
created_at | time | When it was written
updated_at | time | The same: an update never changes
display_at | time | The time shown
affected_components | [Affected]? | Components whose status it changed
deliver_notifications | bool | Whether subscribers were told
custom_tweet | any? | Always null
tweet_id | any? | Always null
x_wallet | UpdateExtra | All languages, and the signature
""",
    "Affected": f"""
code | id | The component's id
name | text | Group - Component
old_status | words({_COMPONENT}) | Before
new_status | words({_COMPONENT}) | After
""",
    "UpdateExtra": """
bodies | texts | Text in every language
titles | texts | Title at that time
signature | Signature? | Where it stands in the signed log; null if older than the log
""",
    "Signature": """
n | int | Number of the log entry
hash | text | SHA-256 of its payload, hex
key_id | text | Which key signed, see /key.json
signature | text | Ed25519 over the payload's bytes, base64
path | text | Where the entry is
""",
    "Notice": f"""
number | text | Notice number, as messages carry it
kind | words({_KIND}) | Kind of notice
status | text | State in our own words
suspected | bool | Only our monitors say so; no person has confirmed it
titles | texts | Title in every language
languages | [text] | Languages there are
demo | bool | Made-up data
funds | Funds | Are my funds safe?
eta | Eta | When it will be repaired
next_update_by | time? | When we will say something again
advice | Advice | What to do and what not to do
not_affected | texts | What still works
scope | texts | Who is affected
remedy | texts | Refunds and the like
cause | text | Cause, one of a fixed list
attribution | text | Where the cause lies: us, chain, supplier, partner
symptoms | [text] | Symptoms it explains
versions | Versions | App versions it is about
components | {{text}} | Component id to the status this notice claims for it
at_block | AtBlock? | Of a maintenance that begins at a block of a network: which; its times are estimates
signature | Signature? | Of the newest update
""",
    "Funds": f"""
state | words({_FUNDS}) | One of a fixed list
text | texts | The same in words
basis | texts | What we base it on
""",
    "Eta": """
at | time? | Expected end; null when it cannot be foreseen
confidence | words(high medium low none) | How sure we are
""",
    "Advice": """
do | lines | What to do, by language
dont | lines | What not to do, by language
""",
    "Versions": """
affected | text | Affected app versions, as written
fixed | text | Version that mends it
""",
    "AtBlock": """
network | text? | Whose block, as in /networks/
height | int | Its height
estimated_at | time? | When it is expected, as in scheduled_for; moves as the network's pace does
""",
    "About": f"""
verdict | words({_VERDICT}) | How things stand, in one word
components | [text] | Components it is about
blind | bool | We have not been able to check for 90 seconds: nothing is said to work
since | time? | Since when
languages | [text] | Languages of the page, the first is the default
names | texts | The wallet's name in every language
demo | bool | Made-up data
""",
    "Live": f"""
version | text | Changes with every public change
checked_at | time? | End of our last round of checks
verdict | words({_VERDICT}) | How things stand, in one word
blind~ | bool | True once we cannot see
""",
    "InApp": f"""
verdict | words({_VERDICT}) | How things stand, in one word
blind | bool | We have not been able to check for 90 seconds: nothing is said to work
language | text | Language of the answer
notices | [InAppNotice] | What concerns the asker, most urgent first
more | int | Notices left out so that the answer stays below 2,000 bytes
""",
    "InAppNotice": f"""
number | text | Notice number, as messages carry it
kind | words({_KIND}) | Kind of notice
status | text | State in our own words
severity | words({_IMPACT}) | How bad it is
show | words(banner modal) | Modal: a confirmed critical failure, or money that needs the user to act
suspected | bool | Only our monitors say so; no person has confirmed it
funds | words({_FUNDS}) | Are my funds safe?
title | text | Title
text~ | text | Latest update as plain text, shortened
eta_at~ | time | Expected end
next_update_by~ | time | When we will say something again
scheduled_for~ | time | Of a maintenance: begin of its window
scheduled_until~ | time | Of a maintenance: end of its window
updated_at | time | When it last changed
url | text | The notice's page
""",
    "LogHead": """
n | int | Number of the newest entry
hash | text | SHA-256 of its payload, hex
""",
    "LogLine": """
n | int | Number of the log entry
at | time | When it was published
hash | text | SHA-256 of its payload, hex
prev_hash | text | Hash of the entry before
key_id | text | Which key signed, see /key.json
signature | text | Ed25519 over the payload's bytes, base64
""",
    "LogEntry": """
n | int | Number of the log entry
at | time | When it was published
payload | text | The signed bytes: canonical JSON (RFC 8785)
hash | text | SHA-256 of its payload, hex
prev_hash | text | Hash of the entry before
key_id | text | Which key signed, see /key.json
signature | text | Ed25519 over the payload's bytes, base64
bodies | {text?} | Texts by their SHA-256; null for one that was withdrawn
""",
    "Published": f"""
number | text | Notice number, as messages carry it
id | id | The notice's id
kind | words({_KIND}) | Kind of notice
status | text | State in our own words
suspected | bool | Only our monitors say so; no person has confirmed it
titles | texts | Title in every language
published_at | time | When it was published
updated_at | time | When it last changed
channels | [text] | Channels it went out through, beside the page and its feeds
updates | [PublishedUpdate] | What was said, newest first
""",
    "PublishedUpdate": """
sequence | int | 1, 2, 3 and so on
at | time | The time shown
status | text | State in our own words
bodies | {text} | SHA-256 of the text in each language
entry | int? | Number of the log entry
""",
    "Key": """
id | text | First 16 hex digits of the key's SHA-256
algorithm | words(Ed25519) | Kind of key
public_key | text | 32 bytes, base64
valid_from | time | When it signed first
valid_until | time? | When its successor took over
endorsement~ | any | Of an announced key: the signature of the key before it
""",
    "Shields": """
schemaVersion | int | Always 1
label | text | The component
message | text | Its status in words
color | text | #rrggbb
isError | bool | True while it is down
cacheSeconds | int | How long to keep it
""",
}
