"""The rule judge ``rules``: an offline instrument for how well a candidate elicits facts and uses them.

It was written from the rubric of RLPA (arXiv 2505.15456, section 3.3: naturalness, relevance, logical consistency,
engagement, informativeness, each 0 or 1, reward = product) and developed on the training pool only. It is **not
human-calibrated**. It measures elicitation and use of facts, not literary quality. It judges against the golden
profile and what was disclosed so far, two separate fields, and never against the candidate's inferred profile.
English only: everything is unscored for other languages. A reply that breaks the contract fails all five.

"Content word" below: a stem that is no function word, filler, praise or greeting. A text *draws on* a fact if it
names it or a narrower value, holds one of its cues, or two words of its field (walk, hill for hiking). Gender need
never be drawn on. If the user side cannot tell what it disclosed, the facts its words draw on are taken.

- **naturalness**: 3 to 80 words (2 for a greeting), at most 6 sentences, the last one ended; letters, function words
  and word shapes as in English; no tags, markup, lists, links, role labels, scores, talk to a judge or of profiles; no
  run of more than 8 keywords; no 5 words twice, no content word more than 4 times; not 3 or more areas of life
  unrelated to what was told and to each other that outnumber the related words by more than two to one, and never 5;
  not (nearly) one of its own earlier replies, nor the same frame with other words filled in.
- **relevance**: once a fact was disclosed, draws on one, where a single field word does for a fact told just now (if
  at most two were); takes up what this turn told, or shares a content word with it, or points back to it; answers a
  question that the user put. Before anything was disclosed and after a bare greeting: greets back or asks the user
  something.
- **logic**: asserts nothing of the user ("you are", "you love", "as a", "your wife") that contradicts the gold, turns a
  like into a dislike, gives another number, or was never told, guessed right or not; hedged sentences and questions
  are free. No superseded value as if it held, no offer of what they dislike, no contradiction with itself. The same
  at turn 1, when every personal assertion is a guess.
- **engagement**: a question or an offer tied to the topic or to the user; at most 2 questions; none whose answer was
  told or that was put before; no praise without content, no echo, no brush-off. At the opening: any question or
  invitation that does not ask for age, gender or marital status.
- **informativeness**: at least 2 content words that the user never said and that name no disclosed fact, among them a
  cue or two field words of one disclosed fact. While nothing is known: the 2 words. At the opening: the same, or a
  question or invitation of 5 words.
- **gate**: the product. **style**: see :func:`.style.measure`; unscored if the gold asks for none.

Known limits: it reads words, not meaning. A good reply about a fact in words outside the lists fails relevance or
informativeness; a fixed sentence that names the last fact and happens to hold words of its field passes. What the
judge card found is published with each release.
"""

from .judge import CRITERIA, VERSION, RulesJudge

__all__ = ["CRITERIA", "VERSION", "RulesJudge"]
