#include "decide/time_bound.h"

#include <gtest/gtest.h>

#include <string>

namespace sosie::decide {
namespace {

TEST(TimeBound, KnowsWhatSpeaksOfThePresent) {
  for (const char* text : {
           "What is the weather in Paris today?", "Who is the CEO of Intel right now?", "what's the latest iPhone",
           "Latest news?", "What happened yesterday?", "Will it rain tomorrow in Oslo",
           "What films came out this week?", "Who won the match last night?", "Events next month in Berlin",
           "What is the current price of gold?", "current president of France", "Who is currently leading?",
           "Bitcoin price of the day", "Tesla stock price", "USD to EUR exchange rate", "What time is it in Tokyo?",
           "What's the date?", "What day is it", "How many goals has he scored so far?", "Inflation as of March",
           "Is it open now?", "Is the data up-to-date?", "What are people wearing these days",
           "Are smartphones nowadays waterproof?", "Is he in Rome at the moment?", "TODAY'S DEALS",
           "Summarise the last 3 days", "trends of the past two decades", "over the next couple of weeks",
           "What’s the forecast?", "most recent release", "How many days until Christmas?", "Has it been released yet?",
           "Is the queen still alive?", "How old is the pope?", "When is the next Friday sale? I mean next friday.",
       })
    EXPECT_TRUE(is_time_bound(text)) << text;
}

TEST(TimeBound, KnowsOtherLanguages) {
  for (const char* text : {
           "Wie wird das Wetter?", "Was ist HEUTE los?", "Übermorgen in Wien", "die neuesten Filme", "wie spät ist es",
           "diese Woche", "Quel temps fait-il aujourd'hui ?", "aujourd’hui", "Les élections de cette année",
           "Qui est actuellement président ?", "¿Qué hora es?", "noticias de hoy", "Mañana en Madrid", "Che ore sono?",
           "Cosa succede oggi a Roma", "notícias de hoje", "O que acontece amanhã", "Wat gebeurt er vandaag",
           "hoe laat is het", "今天天气怎么样", "谁是现在的总统?", "最新的手机", "今日のニュースは?", "今週の予定", "오늘 날씨 어때?",
       })
    EXPECT_TRUE(is_time_bound(text)) << text;
}

TEST(TimeBound, LetsOtherMeaningsBe) {
  for (const char* text : {
           "How do I reset my password?", "What is the capital of France?",
           "How do I print the current directory in bash?", "What is the current working folder?",
           "How does electric current flow?", "Explain alternating current and direct current",
           "What is current density?", "Why does SELECT NOW() return UTC?", "What does datetime.now do in Python?",
           "the $today variable", "docker pull nginx:latest fails", "Explain `git log --since=yesterday`",
           "What is the --now flag of systemctl?", "Now write a function that adds two numbers.",
           "Hello. Now, list three fruits", "Now that I know C, which language is next?", "How do I know it worked?",
           "Why is the moon so far away?", "What happened on this day in history?", "Make this last long",
           "What is a snowstorm?", "the last week of pregnancy", "How do I see the next day in a series?",
           "I recently moved to Oslo", "I am currently a student; which laptop suits me?",
           "What does current_user() return?", "In a knowledge base", "simple yet elegant code",
           "What time complexity has quicksort?", "Ist das hier richtig?", "", " ", "\n\n", "'", "`", "```now", "'s",
           ".",
       })
    EXPECT_FALSE(is_time_bound(text)) << text;
}

TEST(TimeBound, ReadsTheEndsOfALongText) {
  const std::string material(5'000, 'x');
  EXPECT_FALSE(is_time_bound(material));
  EXPECT_TRUE(is_time_bound("What do people think today? " + material));
  EXPECT_TRUE(is_time_bound(material + " What do people think today?"));
  EXPECT_FALSE(is_time_bound(material + " today " + material));
  EXPECT_FALSE(is_time_bound("```\nprint('today')\n```\nWhat does this print?"));
}

TEST(TimeBound, TakesAnyBytes) {
  std::string bytes;
  for (int i = 0; i < 20'000; ++i) bytes.push_back(static_cast<char>(i * 7919 >> 3));
  for (std::size_t at = 0; at < bytes.size(); at += 97)
    for (std::size_t size : {1U, 2U, 3U, 7U, 300U, 2'048U, 4'000U})
      (void)is_time_bound(std::string_view(bytes).substr(at, size));
  for (const char* piece : {"'s ", "’s ", ".\n", "(", " '", "a.", "\xc3", "\xe4\xbb"}) {
    std::string many;
    while (many.size() < 2'048) many += piece;
    (void)is_time_bound(many);
    (void)is_time_bound(many.substr(0, 2'048));
  }
}

}  // namespace
}  // namespace sosie::decide
