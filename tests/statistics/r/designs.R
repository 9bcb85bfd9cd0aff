# What R says of fixed data. Writes the reference values of tests/statistics/test_designs_in_r.py, one "name value" per line:
#   cd tests/statistics/r && Rscript designs.R > designs.txt
library(survival)
say <- function(name, values) cat(sprintf("%s %.15g\n", name, values), sep = "")
cat("#", R.version.string, "survival", format(packageVersion("survival")), "\n")

# Rates
for (failed in c(0, 2, 5)) {
  bounds <- binom.test(failed, 5)$conf.int
  say(paste0("rate.low.", failed), bounds[1])
  say(paste0("rate.high.", failed), bounds[2])
}

# Power of the t test of one mean, both tails
for (n in c(3, 5, 10)) {
  found <- power.t.test(n = n, delta = 1.2, sd = 0.9, type = "one.sample", strict = TRUE)$power
  say(paste0("power.", n), found)
}

# A linear contrast of two cells, and the slope of a regression on cells of one size
x <- c(0.91, 0.93, 0.92)
y <- c(0.90, 0.88, 0.89, 0.93)
welch <- t.test(x, y)
say("contrast.low", welch$conf.int[1])
say("contrast.high", welch$conf.int[2])
say("contrast.df", welch$parameter)
say("contrast.p", welch$p.value)
levels <- rep(c(4, 8, 16), each = 3)
values <- c(0.61, 0.65, 0.60, 0.70, 0.72, 0.66, 0.71, 0.74, 0.80)
say("trend.level", coef(lm(values ~ levels))[[2]])
say("trend.log", coef(lm(values ~ log2(levels)))[[2]])

# The monotone test of two levels without ties
say("monotone.p", wilcox.test(c(0.1, 0.4, 0.35, 0.2), c(0.5, 0.3, 0.6, 0.7, 0.9), exact = TRUE)$p.value)

# Times until a threshold, censored at 20
times <- c(3, 4, 4, 9, 12, 20, 20, 5, 8, 8, 14, 20, 20, 20)
reached <- c(1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 0, 0, 0)
group <- rep(c("fast", "slow"), each = 7)
test <- survdiff(Surv(times, reached) ~ group)
say("logrank.chi2", test$chisq)
say("logrank.excess", test$obs[1] - test$exp[1])
curve <- survfit(Surv(times, reached) ~ 1, subset = group == "fast")
say(paste0("survival.", curve$time), curve$surv)
means <- summary(survfit(Surv(times, reached) ~ group), rmean = 20)$table[, "rmean"]
say("mean.fast", means[[1]])
say("mean.slow", means[[2]])
