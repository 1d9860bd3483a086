#include "decide/self_contained.h"

#include <gtest/gtest.h>

#include <string>

namespace sosie::decide {
namespace {

TEST(SelfContained, WhatLeansOnTheConversation) {
  for (const char* prompt : {
           "", "why?", "Why not?", "and in Berlin?", "And Berlin?", "in Berlin?", "In Berlin, please",
           "What about Berlin?", "What about the price of gold?", "how about Paris in the winter",
           "How much does it cost?", "how much is it in euros", "Who wrote it?", "When was he born?",
           "Where did she study?", "What did they do after the war?", "Tell me more",
           "tell me more about his family", "Give me another example", "Give me an example", "more examples please",
           "the second one", "What about the second one?", "Which one is better?", "Which is cheaper?",
           "Which of them is cheaper?", "What is the price?", "What are the side effects?", "What are the symptoms?",
           "What is the capital?", "what was the population in 2020?", "Who won in 2018?", "Who won?",
           "What happened then?", "How does that work?", "Explain that again", "Explain further",
           "explain in more detail", "What does this mean?", "Is this legal?", "Are these safe for children?",
           "Make it shorter", "Shorter, please", "Translate to French", "translate that into German", "Summarize",
           "Rewrite in Java", "Convert to JSON", "Use Python instead", "Can you simplify?",
           "Could you please fix the code?", "Is Python faster?", "Does Python have one?",
           "Can I do the same in Java?", "what else should I know?", "How do I get there?",
           "What's the weather like there?", "How do I get it back?", "It's broken, what now?",
           "That\xE2\x80\x99s wrong, why?", "What is my name?", "What did I ask first?",
           "What did you mean by blue?", "ok thanks", "yes", "continue", "go on with the list", "What if I don't?",
           "Is it safe to eat?", "Is it possible to do it in Java?", "Any discounts for students?",
           "cheaper options", "How long does it last?", "Which has the higher salary?", "what are the other options",
           "What is the difference?", "What are the main differences?", "How many people?",
           "How do I use the first option?", "Are there others?", "who is the author", "Who was his father?",
           "What was the name of his dog?", "What are the best ways to do it?", "What are the previous steps?",
           "why did the war start", "How do I reset the device?", "Is the drug safe during pregnancy?",
           "What are good restaurants nearby?", "Explain like I am five", "Who is eligible?",
           "What documents do I need?",
           // Not English: nobody has read it.
           "Wie hoch ist der Eiffelturm?", "Und in Berlin?", "¿Cuánto cuesta?", "Wat is de prijs daarvan?", "它多少钱？",
           "Combien ça coûte ?",
       }) {
    EXPECT_TRUE(leans_on_context(prompt)) << prompt;
  }
}

TEST(SelfContained, WhatStandsByItself) {
  for (const char* prompt : {
           "How do I reset my password?", "How can I reset my password?", "Where is my parcel from Hamburg?",
           "What is photosynthesis?", "What is the capital of France?", "What's the capital of France?",
           "Who wrote Pride and Prejudice?", "What is the population of Norway in 2020?",
           "What are the side effects of ibuprofen?", "What is the difference between TCP and UDP?",
           "Is it possible to learn Japanese in a year?", "Is it safe to eat raw eggs?",
           "How long does it take to fly to Mars?", "Why do cats purr when they sleep?",
           "Why did Einstein and Bohr argue about their theories?", "In what year did the Berlin Wall fall?",
           "Explain quantum entanglement", "Define entropy in thermodynamics", "Who is Angela Merkel?",
           "Which is the highest mountain in Norway?", "Which is better, Java or Python?",
           "How does a nuclear reactor work and why does it need water?",
           "Summarize this text: The quick brown fox jumps over the lazy dog.",
           "Translate \"good morning\" to French", "Convert 5 miles to kilometers",
           "Write a poem about autumn in Oslo", "What's the boiling point of ethanol?",
           "What happens if I don't pay my taxes in Germany?",
           "Do people that smoke have a higher risk of lung cancer?", "Are there any wolves in Sweden?",
           "How can I make money online?",
       }) {
    EXPECT_FALSE(leans_on_context(prompt)) << prompt;
  }
}

TEST(SelfContained, TakesAnyBytes) {
  for (const std::string& prompt : {std::string(1, '\0'), std::string("\xff\xfe\xe2\x80"), std::string(100'000, 'a'),
                                    std::string(50'000, '\''), std::string("a'"), std::string("n't n't n't")}) {
    EXPECT_TRUE(leans_on_context(prompt));
  }
}

}  // namespace
}  // namespace sosie::decide
