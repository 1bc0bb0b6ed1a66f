"""The judge ``retrieval``: evidence of personalisation by character n-grams, a second opinion beside ``rules``.

It asks what persona retrieval asks (PersonaChat's hits@1, Zhang et al. 2018, turned round; persona coverage, Song et
al. 2019): if one had only the reply, which facts would one look up, and are they those that this user told? It holds no
cue words, word fields or patterns for slots, and shares no code with ``rules``; both read the closed ontology. It is
graded, where ``rules`` is a gate. Developed on the training pool only; **not human-calibrated**. English only.

Texts are sets of character 4-grams of their content words, weighted by inverse document frequency over the names of the
ontology's values. A sentence *names* a fact if it holds four fifths of the weight of one of its names, half of a long
value, or half of one of the user's own sentences about it.

- **grounding**: of the facts that the reply names, the share that the user told; half of that if it only takes up words
  of the user's, from any turn of the session. What it asks about besides is free; what it states of the user besides
  counts against it (facts of others, facts not told yet, a like turned into a dislike), as do values that no longer
  hold and, beyond two, whatever it names without speaking of the user. While nothing was told: 1 if it puts one
  question or two and states nothing of the user, else 0.
- **novelty**: 1 where at least two fifths of the content are neither the user's words nor the told values, less in
  proportion; 0 where four fifths are in one of its earlier replies.
- **uptake**: it names what was told just now or shares a content word with the user's last utterance.
- **form**: 1 up to 60 words, 60 / words beyond; 0 with markup, role labels, JSON or addresses.
- **score**: grounding x novelty x form, halved without uptake.

Known limits: it reads letters, not meaning. Who takes a fact up in words that neither its names nor the user's words
hold is not seen; who names a told fact and goes on about anything at all is. It does not ask whether a reply is good
English, makes sense or invites an answer.
"""

from .judge import VERSION, RetrievalJudge

__all__ = ["VERSION", "RetrievalJudge"]
