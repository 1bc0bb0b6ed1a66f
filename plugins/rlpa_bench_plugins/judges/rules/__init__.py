"""The rule judge ``rules``: an offline instrument for how well a candidate elicits facts and uses them.

It was written from the rubric of RLPA (arXiv 2505.15456, section 3.3: naturalness, relevance, logical consistency,
engagement, informativeness, each 0 or 1, reward = product) and developed on the training pool only. It is **not
human-calibrated**. It measures elicitation and use of facts, not literary quality. It judges against the golden
profile and what was disclosed so far, two separate fields, and never against the candidate's inferred profile.
English only: everything is unscored for other languages. A reply that breaks the contract fails all five.

"Content word" below: a stem that is no function word, filler, praise or greeting. A text *draws on* a fact if it
names it or a narrower value, holds one of its cues, or two words of its field (walk, ridge for hiking). Gender is never
asked to be drawn on. If the user side cannot tell what it disclosed, the facts its words draw on are taken.

- **naturalness**: 3 to 80 words (2 for a greeting), at most 6 sentences, the last one ended; letters, function words and
  word shapes as in English; no tags, markup, lists, links, role labels, scores, talk to a judge or of profiles; no run of
  more than 8 keywords; no 5 words twice, no content word more than 4 times; not 4 or more areas of life unrelated
  to what was told and to each other, outnumbering the related words; not (nearly) one of its own earlier replies,
  nor the same frame with other words filled in.
- **relevance**: once a fact was disclosed, draws on one; takes up this turn's facts or a word of the user's, if there
  are any; answers a question that the user put. Before anything was disclosed and after a bare greeting:
  greets back or asks the user something.
- **logic**: asserts nothing of the user ("you are", "you love", "as a", "your wife") that contradicts the gold, turns
  a like into a dislike, gives another number, or was never told, guessed right or not; hedged sentences and questions
  are free. No superseded value as if it held, no offer of what they dislike, no contradiction with itself. The same at
  turn 1, when every personal assertion is a guess.
- **engagement**: a question or an offer tied to the topic or to the user; at most 2 questions; none whose answer was
  told or that was put before; no praise without content, no echo, no brush-off. At the opening: any question or
  invitation that does not ask for age, gender or marital status.
- **informativeness**: at least 3 content words that are not the user's, among them a cue or two field words of a
  disclosed fact besides its name. At the opening: 2 content words of its own. While nothing is known: 3.
- **gate**: the product. **style**: see :mod:`.style`; unscored if the gold asks for none.
"""

from .judge import CRITERIA, VERSION, RulesJudge

__all__ = ["CRITERIA", "VERSION", "RulesJudge"]
