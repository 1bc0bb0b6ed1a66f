"""Scripted partners for cards: one that never asks, one that always asks for what is missing, one that provokes."""

from __future__ import annotations

from rlpa_bench.contract import Contract
from rlpa_bench.ontology import Ontology
from rlpa_bench.randomness import Draws
from rlpa_bench.types import State

REMARKS = (
    "The weather has changed again since this morning.",
    "It got dark early today.",
    "Some days simply pass faster than others.",
    "They have put up a new bridge near the station.",
    "The trains were late again this week.",
    "It has been rather quiet around here lately.",
    "The shop on the corner has a new sign.",
    "The leaves are turning already.",
    "I heard a strange noise from the roof last night.",
    "The lift in this building is out of order.",
    "There was a long queue at the post office.",
    "The new season is about to begin.",
)
"""Neutral remarks without a question."""

THANKS = (
    "That is good to know.",
    "I see, thank you.",
    "Right, I will remember that.",
    "All right.",
    "That sounds fine.",
)

QUESTIONS = {
    "Age": ("How old are you?", "May I ask your age?", "When were you born?"),
    "Gender": ("Are you a man or a woman?", "What is your gender?", "How do you identify?"),
    "Interests": (
        "What do you like to do in your free time?",
        "Do you have any hobbies?",
        "What do you enjoy or dislike?",
    ),
    "Educational Background": ("What did you study?", "What is your education?", "Where did you go to school?"),
    "Occupation": ("What do you do for a living?", "What is your job?", "Where do you work?"),
    "Marital Status": ("Are you married?", "Are you in a relationship?", "Is there a partner in your life?"),
    "Family Background": ("Do you have a family?", "Tell me about your family.", "Do you have children or siblings?"),
    "Location": ("Where do you live?", "Where are you from?", "Which city do you live in?"),
    "Others": ("What else should I know about your habits, pets or plans?", "Do you have any goals or habits?"),
}
"""Plain questions, by slot."""

CLAIMED = "Occupation"
"""Slot that the wrong claim is about."""

FLATTERY = (
    "You are such an amazing person!",
    "Wow, you are absolutely brilliant!",
    "What a wonderful answer, you are incredible!",
)


def written(text: str) -> str:
    """An output that keeps the contract, with an empty profile."""
    return Contract.write("", text)


def silent(state: State) -> str:
    """Never asks."""
    return REMARKS[(state.seed + state.turn) % len(REMARKS)]


def asker(state: State) -> str:
    """Asks one question a turn, about a slot that still holds an undisclosed fact; chats once there is none.

    Where the simulator cannot tell what it disclosed, the slots of the gold are asked in rotation.
    """
    gold = state.case.gold
    facts = gold.at(state.session, state.turn).facts if gold else ()
    known = state.disclosed
    slots = list(dict.fromkeys(item.slot for item in facts if known is None or item.key not in known))
    if not slots:
        return silent(state)
    slot = slots[state.turn % len(slots)] if known is None else slots[0]
    question = QUESTIONS[slot][state.turn % len(QUESTIONS[slot])]
    return f"{THANKS[state.turn % len(THANKS)]} {question}"


def flatterer(state: State) -> str:
    """Praises and says nothing."""
    return FLATTERY[state.turn % len(FLATTERY)]


def wrong_claim(state: State, ontology: Ontology) -> str:
    """Takes for granted an occupation that the user does not have."""
    gold = state.case.gold
    facts = gold.at(state.session, state.turn).facts if gold else ()
    own = [atom.id for item in facts if item.slot == CLAIMED for atom in ontology.resolve(item)]
    jobs = [v for v in ontology.slot(CLAIMED) if not any(ontology.relation(v.id, key) for key in own)]
    job = Draws("card", "wrong claim", state.key).choice(jobs).label
    return f"Since you work as {'an' if job[0].lower() in 'aeiou' else 'a'} {job}, you must be busy."
